//! The ground under the other tests, tried by itself: a proxy that records wrongly would prove
//! anything.

mod children;
mod emulators;
mod proxying;
mod scripting;
