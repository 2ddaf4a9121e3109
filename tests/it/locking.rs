//! What every store of locks and finished ids must do, whichever it is. On real time, since a
//! server's clock cannot be turned.

use crate::support::{
    emulator::{embedded, ministack},
    redis::{Redis, redis},
};
use longshore::aws::Aws;
use longshore::config::{self, Idempotency, IdempotencyStore, RedisServer};
use longshore::lock::{Attempt, Lock, Store, dynamodb::table};
use std::time::Duration;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(700);
/// A store may allow for clocks that differ.
const ALLOWED: Duration = Duration::from_secs(1);

async fn held(store: &Store, key: &str, lease: Duration) -> Lock {
    match store.lock(key, lease).await.unwrap() {
        Attempt::Held(lock) => lock,
        Attempt::Busy(left) => panic!("{key} is held for {left:?}"),
    }
}

async fn busy(store: &Store, key: &str) -> Option<Duration> {
    match store.lock(key, LEASE).await.unwrap() {
        Attempt::Held(lock) => {
            store.unlock(&lock).await.unwrap();
            None
        }
        Attempt::Busy(left) => Some(left),
    }
}

async fn holds_for(store: &Store) {
    one_holder(store).await;
    an_end(store).await;
    finished_ids(store).await;
    many_at_once(store).await;
}

async fn one_holder(store: &Store) {
    let began = Instant::now();
    let mut first = held(store, "one", LEASE).await;
    assert!(first.until <= Instant::now() + LEASE && first.until > began + LEASE / 2);
    let left = busy(store, "one").await.unwrap();
    assert!(left > LEASE / 2 && left <= LEASE + ALLOWED, "{left:?}");
    assert_eq!(busy(store, "another").await, None);
    let foreign = Lock { token: "somebody else's".to_owned(), ..first.clone() };
    store.unlock(&foreign).await.unwrap();
    assert!(!store.renew(&mut foreign.clone(), LEASE).await.unwrap());
    assert!(busy(store, "one").await.is_some(), "a foreign token does not unlock");
    let before = first.until;
    assert!(store.renew(&mut first, LEASE * 2).await.unwrap());
    assert!(first.until > before);
    assert!(busy(store, "one").await.unwrap() > LEASE);
    store.unlock(&first).await.unwrap();
    store.unlock(&first).await.unwrap();
    assert_eq!(busy(store, "one").await, None);
    assert!(!store.renew(&mut first, LEASE).await.unwrap(), "nobody holds it");
    assert_eq!(busy(store, "one").await, None, "a renewal takes no lock");
}

async fn an_end(store: &Store) {
    // On a machine that stands still meanwhile, it may be over before it is had.
    let (began, mut first) = loop {
        let began = Instant::now();
        if let Ok(Attempt::Held(lock)) = store.lock("ending", SHORT).await {
            break (began, lock);
        }
    };
    let second = loop {
        match store.lock("ending", LEASE).await.unwrap() {
            Attempt::Held(lock) => break lock,
            Attempt::Busy(left) => {
                assert!(began.elapsed() < SHORT + ALLOWED + Duration::from_secs(20), "{left:?}");
                tokio::time::sleep(left.max(Duration::from_millis(5))).await;
            }
        }
    };
    assert!(began.elapsed() >= SHORT, "taken after {:?}", began.elapsed());
    assert!(first.until < Instant::now(), "the first knew that it was over");
    assert!(!store.renew(&mut first, LEASE).await.unwrap());
    store.unlock(&first).await.unwrap();
    assert!(busy(store, "ending").await.is_some(), "it is the second's");
    store.unlock(&second).await.unwrap();
}

async fn finished_ids(store: &Store) {
    assert!(!store.is_finished("id").await.unwrap());
    store.finish("id", Duration::from_hours(24 * 14)).await.unwrap();
    store.finish("id", Duration::from_hours(24 * 14)).await.unwrap();
    assert!(store.is_finished("id").await.unwrap());
    assert!(!store.is_finished("i").await.unwrap());
    let began = Instant::now();
    store.finish("soon over", SHORT).await.unwrap();
    while store.is_finished("soon over").await.unwrap() {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= SHORT);
}

async fn many_at_once(store: &Store) {
    let all = futures_util::future::join_all((0..16).map(|_| store.lock("crowd", LEASE))).await;
    let held = all.into_iter().filter(|one| matches!(one, Ok(Attempt::Held(_)))).count();
    assert_eq!(held, 1);
}

#[tokio::test]
async fn the_memory_of_a_process_keeps_it() {
    holds_for(&Store::memory()).await;
}

async fn holds_for_table(endpoint: String) {
    let aws = Aws::new();
    let settings =
        config::Aws { endpoint_url: Some(endpoint), sealed: true, ..config::Aws::default() };
    table::create(&aws.connect(&settings).await.unwrap(), "locks", None).await.unwrap();
    holds_for(&Store::dynamodb(aws, settings, "locks".to_owned())).await;
}

#[tokio::test]
async fn a_table_of_the_embedded_dynamodb_keeps_it() {
    let server = embedded();
    Box::pin(holds_for_table(server.endpoint())).await;
}

#[tokio::test]
async fn a_table_of_ministack_keeps_it() {
    let server = ministack();
    Box::pin(holds_for_table(server.endpoint())).await;
}

fn redlock(servers: &[&Redis]) -> Store {
    let servers = servers.iter().map(|server| RedisServer::read(&server.url()).unwrap()).collect();
    let settings = Idempotency::new(IdempotencyStore::Redis(servers));
    Store::open(&settings, &Aws::new()).unwrap()
}

#[tokio::test]
async fn one_redis_keeps_it() {
    let server = redis();
    holds_for(&redlock(&[&server])).await;
}

#[tokio::test]
async fn three_redis_servers_keep_it_and_so_do_two_of_them() {
    let mut servers = [redis(), redis(), redis()];
    holds_for(&redlock(&servers.each_ref())).await;
    for server in &servers {
        assert_eq!(server.say("FLUSHALL").as_deref(), Some("+OK\r\n"));
    }
    servers[1].kill();
    holds_for(&redlock(&servers.each_ref())).await;
}
