use super::*;

const LEASE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn what_comes_again_brings_a_handle_and_keeps_its_stage() {
    let (mut held, now) = (Held::new(LEASE), Instant::now());
    assert_eq!(held.enter("a", "first".into(), now), None);
    held.set("a", Stage::Staying);
    assert_eq!(held.enter("a", "second".into(), now), Some(Stage::Staying));
    assert_eq!((held.count(Stage::Moving), held.count(Stage::Staying)), (0, 1));
    assert_eq!(held.handle("a", now), Some("second"));
    held.set("a", Stage::Undeleted);
    assert_eq!((held.count(Stage::Undeleted), held.count(Stage::Staying)), (1, 0));
    assert_eq!((held.leases(now), held.awaits(now)), (0, true));
    held.let_go("a");
    held.forget_undeleted();
    assert_eq!((held.count(Stage::Undeleted), held.awaits(now)), (0, false));
    assert_eq!((held.leases(now), held.next_due()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_at_half_in_tens_and_longer_for_what_stays() {
    let (mut held, start) = (Held::new(LEASE), Instant::now());
    for number in 0..12 {
        held.enter(&number.to_string(), format!("handle {number}"), start);
    }
    held.set("3", Stage::Staying);
    assert!(held.take_due(start).is_empty());
    let half = start + LEASE / 2;
    let first = held.take_due(half);
    let second = held.take_due(half);
    assert_eq!((first.len(), second.len(), held.take_due(half).len()), (10, 2, 0));
    let staying = first.iter().chain(&second).find(|renewal| renewal.id == "3").unwrap();
    assert_eq!(staying.lease, STAYING_LEASE);
    held.renewed(staying, half);
    assert_eq!(held.next_due(), Some(half + STAYING_LEASE / 2));
    // Those that nobody renewed are lost after a minute.
    assert_eq!(held.leases(start + LEASE), 1);
    assert_eq!(held.to_give_back(start + LEASE), ["handle 3"]);
}

#[tokio::test(start_paused = true)]
async fn no_lease_is_renewed_beyond_twelve_hours() {
    let (mut held, start) = (Held::new(LEASE), Instant::now());
    held.enter("a", "handle".into(), start);
    held.set("a", Stage::Staying);
    let mut renewals = 0;
    while let Some(due) = held.next_due() {
        for renewal in held.take_due(due) {
            assert!(due + renewal.lease < start + LONGEST_LEASE);
            renewals += 1;
            held.renewed(&renewal, due);
        }
    }
    assert!(renewals > 200, "{renewals}");
}

#[tokio::test(start_paused = true)]
async fn the_last_one_goes_back_first() {
    let (mut held, now) = (Held::new(LEASE), Instant::now());
    for id in ["a", "b", "c"] {
        held.enter(id, id.to_uppercase(), now);
        held.set(id, Stage::Staying);
    }
    held.enter("a", "A again".into(), now);
    assert_eq!(held.to_give_back(now), ["C", "B", "A again"]);
}
