//! Queues and handlers from outside: the real binary between real processes, mostly against the
//! embedded AWS as a process of its own, with the recording proxy in between.

pub(crate) mod ground;

mod exec;
mod failing;
mod http;
mod iniesta;
mod leases;
mod locks;
mod payloads;
mod publishing;
mod pylon;
mod pylon_folders;
mod pylon_refused;
mod rejecting;
mod relengapi;
mod stopping;
mod surviving;
mod tables;
mod trouble;
mod unstartable;
