//! Servers that say what a test wants: enough of RESP to be asked, to keep silent and to go away.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::backoff::still::stand_still;

const LEASE: Duration = Duration::from_secs(10);

/// What a server does with the next call.
#[derive(Debug, Clone)]
enum Say {
    /// This, as it goes over the wire.
    This(&'static str),
    /// Nothing, and the connection stays.
    Nothing,
    /// Nothing, and the connection goes.
    Bye,
}

/// The lock is granted, or renewed, or released.
const GRANTED: Say = Say::This(":-1\r\n");
const YES: Say = Say::This(":1\r\n");
const NO: Say = Say::This(":0\r\n");
const OK: Say = Say::This("+OK\r\n");

struct Scripted {
    address: SocketAddr,
    /// The first word of each call and its first key, without those of logging in.
    calls: Arc<Mutex<Vec<String>>>,
    /// Dropping it ends the server.
    _serving: JoinSet<()>,
    /// A port that is ours, and on which nobody listens.
    _silent: Option<TcpSocket>,
}

impl Scripted {
    /// Says these, one a call, and `ever` to all that come after them.
    async fn saying(script: &[Say], ever: Say) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls: Arc<Mutex<Vec<String>>> = Arc::default();
        let script: Arc<Mutex<VecDeque<Say>>> = Arc::new(Mutex::new(script.to_vec().into()));
        let (heard, mut serving) = (Arc::clone(&calls), JoinSet::new());
        serving.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(serve(stream, Arc::clone(&script), ever.clone(), Arc::clone(&heard)));
            }
        });
        Self { address, calls, _serving: serving, _silent: None }
    }

    /// A port where nobody listens.
    fn away() -> Self {
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = silent.local_addr().unwrap();
        let (calls, nobody) = (Arc::default(), JoinSet::new());
        Self { address, calls, _serving: nobody, _silent: Some(silent) }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Say>>>,
    ever: Say,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let (mut buffer, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        while let Some((words, rest)) = command(&buffer) {
            buffer = rest;
            if words[0] == "CLIENT" {
                stream.write_all(b"+OK\r\n").await.unwrap();
                continue;
            }
            heard.lock().unwrap().push(words[0].clone());
            let say = script.lock().unwrap().pop_front().unwrap_or_else(|| ever.clone());
            match say {
                Say::This(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                Say::Nothing => {}
                Say::Bye => return,
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

/// One whole command and what comes after it.
fn command(buffer: &[u8]) -> Option<(Vec<String>, Vec<u8>)> {
    let text = std::str::from_utf8(buffer).unwrap();
    let (count, mut rest) = text.strip_prefix('*')?.split_once("\r\n")?;
    let mut words = Vec::new();
    for _ in 0..count.parse().unwrap() {
        let (length, after) = rest.strip_prefix('$')?.split_once("\r\n")?;
        let length: usize = length.parse().unwrap();
        words.push(after.get(..length)?.to_owned());
        rest = after.get(length + 2..)?;
    }
    Some((words, rest.as_bytes().to_vec()))
}

fn redlock(servers: &[Scripted]) -> Redlock {
    let settings: Vec<RedisServer> = servers
        .iter()
        .map(|server| RedisServer::read(&format!("redis://{}", server.address)).unwrap())
        .collect();
    Redlock::new(&settings).unwrap()
}

fn held(attempt: Result<Attempt>) -> Lock {
    let Ok(Attempt::Held(lock)) = attempt else { panic!("{attempt:?}") };
    lock
}

#[tokio::test]
async fn a_lock_stands_for_its_lease_less_the_time_to_ask_and_the_drift() {
    let servers = [Scripted::saying(&[], GRANTED).await];
    let began = Instant::now();
    let lock = held(redlock(&servers).lock("key", LEASE).await);
    let least = began + LEASE - Duration::from_millis(102);
    assert!(lock.until >= least && lock.until <= Instant::now() + LEASE - drift(LEASE));
}

#[tokio::test]
async fn two_of_three_are_enough_and_one_is_not() {
    let two = [
        Scripted::saying(&[], GRANTED).await,
        Scripted::away(),
        Scripted::saying(&[], GRANTED).await,
    ];
    held(redlock(&two).lock("key", LEASE).await);
    let one = [Scripted::away(), Scripted::away(), Scripted::saying(&[GRANTED], YES).await];
    let redlock = redlock(&one);
    let error = redlock.lock("key", LEASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().starts_with("2 of 3 Redis servers cannot be asked"), "{error}");
    assert!(redlock.finish("id", LEASE).await.is_err());
}

#[tokio::test]
async fn what_a_minority_granted_is_taken_back() {
    let busy = Say::This(":4000\r\n");
    let servers = [
        Scripted::saying(&[GRANTED], YES).await,
        Scripted::saying(std::slice::from_ref(&busy), NO).await,
        Scripted::saying(std::slice::from_ref(&busy), NO).await,
    ];
    let attempt = redlock(&servers).lock("key", LEASE).await.unwrap();
    let Attempt::Busy(left) = attempt else { panic!("{attempt:?}") };
    assert_eq!(left, Duration::from_secs(4));
    for server in &servers {
        let calls = server.calls();
        assert!(calls.len() <= 2, "{calls:?}");
    }
    assert_eq!(servers[1].calls().len(), 2, "unlocking tries all");
}

#[tokio::test]
async fn a_server_that_answers_too_late_to_keep_the_lock_is_away() {
    let servers = [Scripted::saying(&[], Say::Nothing).await];
    let redlock = redlock(&servers);
    let error = redlock.lock("key", LEASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains("no answer within 2 s"), "{error}");
    // What it may have granted is taken back, on this connection and on a new one.
    assert_eq!(servers[0].calls(), ["EVALSHA", "EVAL", "EVAL"]);
}

#[tokio::test]
async fn one_silent_server_of_three_holds_nobody_up() {
    let servers = [
        Scripted::saying(&[], Say::Nothing).await,
        Scripted::saying(&[GRANTED, YES], OK).await,
        Scripted::saying(&[GRANTED, YES], OK).await,
    ];
    let redlock = redlock(&servers);
    let _hold = stand_still();
    let began = Instant::now();
    let mut lock = held(redlock.lock("key", LEASE).await);
    assert!(redlock.renew(&mut lock, LEASE).await.unwrap());
    redlock.finish("id", LEASE).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO, "it was waited for");
}

/// Nor one that is silent while the lock is somebody else's; it is told to give back what it may
/// have granted.
#[tokio::test]
async fn a_lock_that_is_held_is_told_without_a_silent_server() {
    let busy = || Scripted::saying(&[Say::This(":4000\r\n")], NO);
    let servers = [Scripted::saying(&[], Say::Nothing).await, busy().await, busy().await];
    let redlock = redlock(&servers);
    let _hold = stand_still();
    let began = Instant::now();
    let attempt = redlock.lock("key", LEASE).await.unwrap();
    let Attempt::Busy(left) = attempt else { panic!("{attempt:?}") };
    assert_eq!((left, began.elapsed()), (Duration::from_secs(4), Duration::ZERO));
    while servers[0].calls().len() < 2 {
        tokio::task::yield_now().await;
        assert_eq!(began.elapsed(), Duration::ZERO, "it was told nothing");
    }
    for server in &servers {
        assert_eq!(server.calls(), ["EVALSHA", "EVAL"]);
    }
}

#[tokio::test]
async fn a_broken_connection_is_made_anew_within_the_call() {
    let servers = [Scripted::saying(&[GRANTED, Say::Bye], YES).await];
    let redlock = redlock(&servers);
    let mut lock = held(redlock.lock("key", LEASE).await);
    assert!(redlock.renew(&mut lock, LEASE).await.unwrap());
    assert_eq!(servers[0].calls(), ["EVALSHA", "EVALSHA", "EVALSHA"]);
}

#[tokio::test]
async fn a_renewal_that_a_quorum_refuses_is_a_lost_lock() {
    let servers = [
        Scripted::saying(&[GRANTED], NO).await,
        Scripted::saying(&[GRANTED], NO).await,
        Scripted::saying(&[GRANTED], YES).await,
    ];
    let redlock = redlock(&servers);
    let mut lock = held(redlock.lock("key", LEASE).await);
    assert!(!redlock.renew(&mut lock, LEASE).await.unwrap());
}

/// The one that is away answers first, and says nothing of the lock.
#[tokio::test]
async fn a_lock_that_two_refuse_is_lost_though_the_third_is_away() {
    let servers =
        [Scripted::away(), Scripted::saying(&[], NO).await, Scripted::saying(&[], NO).await];
    let until = Instant::now() + LEASE;
    let mut lock = Lock { key: "key".to_owned(), token: "token".to_owned(), until };
    assert!(!redlock(&servers).renew(&mut lock, LEASE).await.unwrap());
}

#[tokio::test]
async fn a_renewal_that_too_few_answer_leaves_the_lock_until_its_end() {
    let servers =
        [Scripted::saying(&[], NO).await, Scripted::away(), Scripted::saying(&[], YES).await];
    let until = Instant::now() + LEASE;
    let mut lock = Lock { key: "key".to_owned(), token: "token".to_owned(), until };
    let error = redlock(&servers).renew(&mut lock, LEASE).await.unwrap_err();
    assert!(error.to_string().contains("1 of 3 Redis servers cannot be asked"), "{error}");
    assert_eq!(lock.until, until);
}

#[tokio::test]
async fn a_finished_id_known_to_one_is_finished_and_unknown_to_too_few_is_unknown() {
    let servers = [Scripted::away(), Scripted::away(), Scripted::saying(&[YES], NO).await];
    let redlock = redlock(&servers);
    assert!(redlock.is_finished("id").await.unwrap());
    assert!(redlock.is_finished("id").await.is_err());
}

#[tokio::test]
async fn a_server_that_is_away_is_not_asked_at_every_call() {
    let servers = [Scripted::saying(&[], Say::Bye).await];
    let redlock = redlock(&servers);
    for _ in 0..200 {
        assert!(redlock.is_finished("id").await.is_err());
    }
    let calls = servers[0].calls().len();
    assert!(calls <= 20, "{calls}");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    for (answer, kind, told) in [
        ("-NOAUTH Authentication required.\r\n", Kind::Credentials, "password_file"),
        ("-NOPERM this user has no permissions\r\n", Kind::Denied, "~sqs:*"),
        ("-READONLY You can't write against a read only replica.\r\n", Kind::Denied, "primary"),
        ("-LOADING Redis is loading the dataset in memory\r\n", Kind::Transient, "loading"),
        ("-OOM command not allowed\r\n", Kind::Invalid, "OOM"),
    ] {
        let servers = [Scripted::saying(&[], Say::This(answer)).await];
        let error = redlock(&servers).is_finished("id").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.to_string().contains("redis://127.0.0.1:"), "{error}");
    }
}
