use super::*;

const LEASE: Duration = Duration::from_secs(30);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn renewed_at_half_in_batches_of_ten() {
    let now = Instant::now();
    let mut leases = Leases::new(LEASE, false);
    for n in 0..23 {
        leases.enter(&format!("m{n}"), format!("h{n}"), 0, now);
    }
    assert_eq!(leases.next_due(), Some(now + seconds(15)));
    assert!(leases.take_due(now + seconds(14)).is_empty());
    let later = now + seconds(15);
    let sizes: Vec<usize> = std::iter::from_fn(|| {
        let batch = leases.take_due(later);
        (!batch.is_empty()).then_some(batch.len())
    })
    .collect();
    assert_eq!(sizes, [10, 10, 3]);
}

#[tokio::test(start_paused = true)]
async fn fifo_renews_handles_of_one_receive_together() {
    let now = Instant::now();
    let mut leases = Leases::new(LEASE, true);
    for n in 0..4 {
        leases.enter(&format!("m{n}"), format!("h{n}"), n % 2, now);
    }
    let batch = leases.take_due(now + seconds(15));
    assert_eq!(batch.iter().map(|r| r.ticket).collect::<Vec<_>>(), [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_twelve_hours_count_from_the_receive() {
    let received = Instant::now();
    let mut leases = Leases::new(Duration::from_hours(5), false);
    let (ticket, keeper) = leases.enter("m", "h".into(), 0, received);
    let mut now = received;
    let mut granted = Vec::new();
    while let Some(due) = leases.next_due() {
        now = due;
        for renewal in leases.take_due(now) {
            granted.push(renewal.lease);
            leases.renewed(&renewal, now, now);
        }
        if !leases.take_lost(now).is_empty() {
            break;
        }
    }
    assert_eq!(now, received + LONGEST_LEASE);
    assert!(keeper.is_lost());
    assert!(granted.iter().all(|lease| *lease <= Duration::from_hours(5)), "{granted:?}");
    assert_eq!(leases.handle(ticket, now), None);
}

#[tokio::test(start_paused = true)]
async fn lost_when_the_deadline_passes_or_sqs_says_so() {
    let now = Instant::now();
    let mut leases = Leases::new(LEASE, false);
    let (first, keeper) = leases.enter("m1", "h1".into(), 0, now);
    let (_, other) = leases.enter("m2", "h2".into(), 0, now);
    let renewals = leases.take_due(now + seconds(15));
    assert!(leases.renewal_failed(&renewals[0], false, now + seconds(15)));
    assert!(keeper.is_lost() && !other.is_lost());
    assert_eq!(leases.handle(first, now + seconds(15)), None);
    assert!(!leases.renewal_failed(&renewals[1], true, now + seconds(15)));
    assert_eq!(leases.next_due(), Some(now + seconds(16)));
    assert_eq!(leases.take_lost(now + seconds(30)).len(), 1);
    assert!(other.is_lost());
    assert!(leases.take_lost(now + seconds(31)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_stays_lost_whatever_a_late_answer_says() {
    let now = Instant::now();
    let mut leases = Leases::new(LEASE, false);
    let (first, _) = leases.enter("m1", "h1".into(), 0, now);
    let (second, _) = leases.enter("m2", "h2".into(), 0, now);
    let renewals = leases.take_due(now + seconds(15));
    assert_eq!(leases.take_lost(now + seconds(30)), [first, second]);
    let late = now + seconds(31);
    leases.renewed(&renewals[0], now + seconds(15), late);
    assert!(!leases.renewal_failed(&renewals[1], true, late));
    assert_eq!((leases.handle(first, late), leases.handle(second, late)), (None, None));
    assert_eq!(leases.next_due(), None, "nothing is renewed, nothing is lost twice");
}

#[tokio::test(start_paused = true)]
async fn a_copy_received_again_brings_the_handle_that_counts() {
    let now = Instant::now();
    let mut leases = Leases::new(LEASE, false);
    let (ticket, _) = leases.enter("m", "old".into(), 0, now);
    let stale = leases.take_due(now + seconds(15)).remove(0);
    leases.take_lost(now + seconds(30));
    assert_eq!(leases.adopt("m", "new", 1, now + seconds(31)), Some(ticket));
    assert_eq!(leases.handle(ticket, now + seconds(31)), Some("new"));
    assert!(!leases.renewal_failed(&stale, false, now + seconds(32)));
    assert_eq!(leases.adopt("unknown", "x", 1, now), None);
    leases.leave(ticket);
    assert_eq!(leases.next_due(), None);
    assert_eq!(leases.adopt("m", "newer", 2, now), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_taken_when_renewing_would_fall_behind() {
    let now = Instant::now();
    let mut leases = Leases::new(Duration::from_secs(4), false);
    assert!(leases.may_take(10));
    let (ticket, _) = leases.enter("m", "h".into(), 0, now);
    let renewals = leases.take_due(now + seconds(2));
    for _ in 0..40 {
        leases.answered(&renewals, now, now + seconds(3));
    }
    assert!(leases.may_take(1));
    assert!(!leases.may_take(100));
    leases.answered(&renewals, now, now + seconds(300));
    assert!(!leases.may_take(1));
    leases.leave(ticket);
    assert!(leases.may_take(10), "nothing is held, so nothing could teach it better");
}

#[tokio::test(start_paused = true)]
async fn what_goes_back_is_renewed_no_more() {
    let now = Instant::now();
    let mut leases = Leases::new(LEASE, false);
    let (ticket, _) = leases.enter("m", "h".into(), 0, now);
    let renewals = leases.take_due(now + seconds(15));
    assert!(leases.is_renewing(ticket));
    leases.answered(&renewals, now, now + seconds(15));
    leases.renewed(&renewals[0], now + seconds(15), now + seconds(15));
    assert!(!leases.is_renewing(ticket));
    leases.let_go(ticket);
    assert!(leases.take_due(now + seconds(40)).is_empty());
    assert!(leases.counts(ticket, "h") && !leases.counts(ticket, "other"));
}
