//! Redis by its own server, each test its own, on its own port and in its own directory.

use super::{
    PATIENCE,
    daemon::{Daemon, program},
    eventually, free_port,
};
use rustix::process::Signal;
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

/// A running Redis; dropping it ends it.
pub(crate) struct Redis {
    port: u16,
    options: Vec<String>,
    server: Option<Daemon>,
}

/// Starts Redis and waits until it answers. It keeps nothing on disk: a restart forgets.
pub(crate) fn redis() -> Redis {
    redis_with(&[])
}

/// The same with options such as `["--requirepass", "secret"]`.
pub(crate) fn redis_with(options: &[&str]) -> Redis {
    let port = free_port();
    let options = options.iter().map(|&option| option.to_owned()).collect();
    let mut redis = Redis { port, options, server: None };
    redis.start();
    redis
}

impl Redis {
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        drop(self.server.take());
    }

    /// It keeps its connections and answers nothing, until `thaw`.
    pub(crate) fn freeze(&self) {
        self.server.as_ref().expect("a running Redis").signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.server.as_ref().expect("a running Redis").signal(Signal::CONT);
    }

    /// Starts it, or starts it again on the same port.
    pub(crate) fn start(&mut self) {
        let port = self.port.to_string();
        let launch = program(
            Path::new("redis-server"),
            ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        );
        let launch = self.options.iter().fold(launch, |launch, option| launch.args(&[option]));
        self.server = Some(launch.start());
        eventually("Redis answers", PATIENCE, || self.say("PING").is_some());
    }

    /// What it answers to one command of words without blanks.
    pub(crate) fn say(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.strip_suffix("+OK\r\n").unwrap_or(&answer).to_owned())
    }

    /// The keys that begin like this.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let answer = self.say(&format!("KEYS {prefix}*")).unwrap_or_default();
        answer.lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect()
    }
}

/// The settings that name these servers.
pub(crate) fn idempotency(servers: &[&Redis], more: &str) -> String {
    let urls: Vec<String> = servers.iter().map(|redis| redis.url()).collect();
    format!("[idempotency]\nstore = \"redis\"\nservers = {urls:?}\n{more}\n")
}
