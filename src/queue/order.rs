//! FIFO groups: in order within a group, groups side by side. One message of a group runs at a
//! time, or several in one batch, and the next begins only when those before it are settled.

use std::collections::{HashMap, VecDeque};

use super::lease::Ticket;

/// What of each group is held, in its order.
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

    /// Those of a group that stand before this one.
    pub(super) fn before(&self, group: &str, ticket: Ticket) -> Vec<Ticket> {
        let waiting = self.groups.get(group).into_iter().flatten().copied();
        waiting.take_while(|&before| before != ticket).collect()
    }

    /// The one of a group that stands behind this one.
    pub(super) fn after(&self, group: &str, ticket: Ticket) -> Option<Ticket> {
        let mut waiting = self.groups.get(group)?.iter().copied();
        waiting.find(|&before| before == ticket)?;
        waiting.next()
    }

    /// One of a group is settled for good: the next that may run, where it was the first.
    pub(super) fn advance(&mut self, group: &str, ticket: Ticket) -> Option<Ticket> {
        let waiting = self.groups.get_mut(group)?;
        let place = waiting.iter().position(|&waiting| waiting == ticket)?;
        waiting.remove(place);
        let next = waiting.front().copied();
        if next.is_none() {
            self.groups.remove(group);
        }
        next.filter(|_| place == 0)
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

    /// Everything that stands behind another, the last of each group first.
    pub(super) fn behind_others(&self) -> Vec<Ticket> {
        self.groups.values().flat_map(|waiting| waiting.iter().skip(1).rev().copied()).collect()
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
        assert_eq!(order.behind_others(), [3, 2]);
        assert!(order.break_off("a", 3).is_empty());
        assert!(order.break_off("a", 2).is_empty());
        assert_eq!(order.advance("a", 1), None);
    }

    #[test]
    fn one_that_is_settled_before_its_turn_lets_nobody_begin() {
        let mut order = Order::default();
        for ticket in 1..=3 {
            order.enter("a", ticket);
        }
        assert_eq!((order.before("a", 3), order.after("a", 2)), (vec![1, 2], Some(3)));
        assert_eq!(order.advance("a", 2), None);
        assert_eq!(order.advance("a", 1), Some(3));
        assert_eq!((order.before("a", 3), order.after("a", 3)), (vec![], None));
        assert_eq!(order.advance("a", 7), None, "it is not in the group");
    }
}
