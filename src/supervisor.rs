//! Named tasks in one `JoinSet`, so that none ends unseen: a panic is the loudest end of all.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// A set of named tasks that one owner waits for. Dropping it cancels them all.
#[derive(Debug)]
pub struct Tasks<T> {
    set: JoinSet<T>,
    names: HashMap<Id, String>,
}

/// How one task ended.
#[derive(Debug)]
pub struct Ended<T> {
    /// The name it was spawned under.
    pub name: String,
    /// What came of it.
    pub end: End<T>,
}

/// What came of a task.
#[derive(Debug)]
pub enum End<T> {
    /// It returned.
    Returned(T),
    /// It panicked: a bug, with the panic's text.
    Panicked(String),
    /// It was cancelled before it returned.
    Cancelled,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { set: JoinSet::new(), names: HashMap::new() }
    }
}

impl<T: Send + 'static> Tasks<T> {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task under a name.
    pub fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = T> + Send + 'static,
    ) {
        let handle = self.set.spawn(task);
        self.names.insert(handle.id(), name.into());
    }

    /// The next task that ends; nothing when none is left. Cancel-safe.
    pub async fn next(&mut self) -> Option<Ended<T>> {
        let joined = self.set.join_next_with_id().await?;
        let (id, end) = match joined {
            Ok((id, value)) => (id, End::Returned(value)),
            Err(error) => {
                let id = error.id();
                let end = match error.try_into_panic() {
                    Ok(panic) => End::Panicked(panic_text(panic.as_ref())),
                    Err(_cancelled) => End::Cancelled,
                };
                (id, end)
            }
        };
        Some(Ended { name: self.names.remove(&id).unwrap_or_default(), end })
    }

    /// How many have not been waited for yet.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// True when none is left.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Cancels all of them; [`next`](Self::next) still reports each.
    pub fn cancel_all(&mut self) {
        self.set.abort_all();
    }
}

/// The text of a caught panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_end_is_seen_by_name() {
        let mut tasks = Tasks::new();
        tasks.spawn("fine", async { 7 });
        let first = tasks.next().await.unwrap();
        assert_eq!(first.name, "fine");
        assert!(matches!(first.end, End::Returned(7)));

        tasks.spawn("broken", async { panic!("no such luck") });
        let second = tasks.next().await.unwrap();
        assert_eq!(second.name, "broken");
        assert!(matches!(second.end, End::Panicked(text) if text == "no such luck"));

        tasks.spawn("endless", std::future::pending());
        tasks.cancel_all();
        assert!(matches!(tasks.next().await.unwrap().end, End::Cancelled));
        assert!(tasks.next().await.is_none());
    }
}
