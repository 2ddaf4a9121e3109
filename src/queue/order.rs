//! FIFO groups: in order within a group, groups side by side. One message of a group runs at a
//! time, and the next begins only when the one before it is settled.

use std::collections::{HashMap, VecDeque};

use super::lease::Ticket;

/// What of each group is held, the one that may run first.
#[derive(Debug, Default)]
pub(super) struct Order {
    groups: HashMap<String, VecDeque<Ticket>>,
}

impl Order {
    /// Enters a message behind those of its group. True when it may run now.
    pub(super) fn enter(&mut self, group: &str, ticket: Ticket) -> bool {
        let waiting = self.groups.entry(group.to_owned()).or_default();
        waiting.push_back(ticket);
        waiting.len() == 1
    }

    /// The first of a group is settled for good: the next that may run.
    pub(super) fn advance(&mut self, group: &str, ticket: Ticket) -> Option<Ticket> {
        let waiting = self.groups.get_mut(group)?;
        if waiting.front() == Some(&ticket) {
            waiting.pop_front();
        }
        let next = waiting.front().copied();
        if next.is_none() {
            self.groups.remove(group);
        }
        next
    }

    /// A message goes back: those of its group behind it, the last one first, must go back before
    /// it. Those before it stay.
    pub(super) fn break_off(&mut self, group: &str, ticket: Ticket) -> Vec<Ticket> {
        let Some(waiting) = self.groups.get_mut(group) else { return Vec::new() };
        let Some(place) = waiting.iter().position(|&waiting| waiting == ticket) else {
            return Vec::new();
        };
        let behind = waiting.split_off(place).into_iter().skip(1).rev().collect();
        if waiting.is_empty() {
            self.groups.remove(group);
        }
        behind
    }

    /// Everything that waits behind another, the last of each group first; only the first of each
    /// group remains.
    pub(super) fn take_waiting(&mut self) -> Vec<Ticket> {
        let mut taken = Vec::new();
        for waiting in self.groups.values_mut() {
            taken.extend(waiting.drain(1..).rev());
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_group_at_a_time_groups_side_by_side() {
        let mut order = Order::default();
        assert!(order.enter("a", 1));
        assert!(!order.enter("a", 2));
        assert!(order.enter("b", 3));
        assert_eq!(order.advance("a", 1), Some(2));
        assert_eq!(order.advance("a", 2), None);
        assert!(order.enter("a", 4));
    }

    #[test]
    fn the_tail_goes_back_from_the_last() {
        let mut order = Order::default();
        for ticket in 1..=4 {
            order.enter("a", ticket);
        }
        assert_eq!(order.break_off("a", 3), [4]);
        assert!(order.break_off("a", 4).is_empty());
        assert_eq!(order.break_off("a", 1), [2]);
        assert!(order.enter("a", 5));
    }

    #[test]
    fn draining_leaves_only_what_runs() {
        let mut order = Order::default();
        for ticket in 1..=3 {
            order.enter("a", ticket);
        }
        assert_eq!(order.take_waiting(), [3, 2]);
        assert_eq!(order.advance("a", 1), None);
    }
}
