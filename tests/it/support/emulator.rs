//! AWS by other hands: ministack and moto, each test its own, on its own port and directory.
//!
//! Both answer in under half a second, so sharing one between tests is not worth its surprises.
//! ministack verifies checksums and knows SQS's rules well, but takes the checksum of a completed
//! multipart upload for one over its parts and refuses ours over the whole object; moto checks no
//! checksum at all and is slow under load.

use super::{
    PATIENCE,
    daemon::{Daemon, longshore, program},
    eventually, free_port, venv,
};
use std::net::TcpStream;

/// A running emulator; dropping it ends it.
pub(crate) struct Emulator {
    port: u16,
    server: Daemon,
}

/// Starts ministack and waits until its port answers.
pub(crate) fn ministack() -> Emulator {
    let port = free_port();
    let launch = program(&venv("ministack"), []);
    let own = launch.directory().to_str().unwrap().to_owned();
    let launch = launch
        .env("GATEWAY_PORT", &port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        // Its pid file and whatever it keeps.
        .env("TMPDIR", &own)
        .env("S3_DATA_DIR", &format!("{own}/s3"))
        .env("STATE_DIR", &format!("{own}/state"))
        .env("LOG_LEVEL", "WARNING");
    Emulator { port, server: launch.start() }.ready()
}

/// Starts moto's server and waits until its port answers.
pub(crate) fn moto() -> Emulator {
    let port = free_port();
    let launch = program(&venv("moto_server"), ["-H", "127.0.0.1", "-p", &port.to_string()]);
    Emulator { port, server: launch.start() }.ready()
}

/// Starts the embedded AWS and waits for the port that it chose.
pub(crate) fn embedded() -> Emulator {
    let server = longshore(["local"]).start();
    let line = server.wait_for_line(|line| line.contains("embedded AWS"), PATIENCE);
    let port = line.rsplit(':').next().unwrap().parse().expect("the line ends with the port");
    Emulator { port, server }.ready()
}

impl Emulator {
    /// Where its clients send their requests.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn ready(mut self) -> Emulator {
        eventually("the emulator's port", PATIENCE, || {
            assert_eq!(self.server.ended(), None, "{}", self.server.output());
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        self
    }
}
