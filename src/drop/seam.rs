//! Lets a test's own thread stand on a file system without the flag, and act between the steps; or
//! on one whose directories cannot be synced.

use std::cell::{Cell, RefCell};

use rustix::io::Errno;

thread_local! {
    static SYNCS: Cell<bool> = const { Cell::new(true) };
    static BETWEEN: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// From now on this thread links and unlinks, and `between` runs between the two.
pub(crate) fn without_the_flag(between: impl FnMut() + 'static) {
    BETWEEN.with_borrow_mut(|seam| *seam = Some(Box::new(between)));
}

pub(super) fn is_without_the_flag() -> bool {
    BETWEEN.with_borrow(Option::is_some)
}

pub(super) fn linked() {
    BETWEEN.with_borrow_mut(|seam| {
        if let Some(between) = seam {
            between();
        }
    });
}

/// From now on nothing that this thread does with a directory outlives a power loss.
pub(crate) fn without_sync() {
    SYNCS.set(false);
}

pub(super) fn synced(synced: rustix::io::Result<()>) -> rustix::io::Result<()> {
    if SYNCS.get() { synced } else { Err(Errno::IO) }
}
