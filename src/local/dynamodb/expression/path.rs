//! A way into an item: `a.b[3].c`.

use super::super::refusal::Refusal;
use super::super::value::{Item, Value};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Step {
    Name(String),
    Index(usize),
}

/// Never empty; the first step is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Path(pub(super) Vec<Step>);

impl Path {
    /// The attribute of the item that it leads into.
    pub(in super::super) fn top(&self) -> &str {
        match self.0.first() {
            Some(Step::Name(name)) => name,
            Some(Step::Index(_)) | None => "",
        }
    }

    /// True where one leads into the other or to the same place.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(left, right)| left == right)
    }

    pub(in super::super) fn get<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        let mut value = item.get(self.top())?;
        for step in self.0.iter().skip(1) {
            value = match (step, value) {
                (Step::Name(name), Value::Map(map)) => map.get(name)?,
                (Step::Index(index), Value::List(list)) => list.get(*index)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Sets what it leads to; an index past the end of a list appends.
    pub(super) fn set(&self, item: &mut Item, value: Value) -> Result<(), Refusal> {
        let Some((step, way)) = self.0.split_last() else { return Err(nowhere()) };
        if way.is_empty() {
            item.insert(self.top().to_owned(), value);
            return Ok(());
        }
        match (step, descend(item, way).ok_or_else(nowhere)?) {
            (Step::Name(name), Value::Map(map)) => {
                map.insert(name.clone(), value);
            }
            (Step::Index(index), Value::List(list)) => match list.get_mut(*index) {
                Some(place) => *place = value,
                None => list.push(value),
            },
            _ => return Err(nowhere()),
        }
        Ok(())
    }

    /// Removes what it leads to; nothing there is no error, no way there is.
    pub(super) fn remove(&self, item: &mut Item) -> Result<(), Refusal> {
        let Some((step, way)) = self.0.split_last() else { return Err(nowhere()) };
        if way.is_empty() {
            item.remove(self.top());
            return Ok(());
        }
        match (step, descend(item, way).ok_or_else(nowhere)?) {
            (Step::Name(name), Value::Map(map)) => {
                map.remove(name);
            }
            (Step::Index(index), Value::List(list)) if *index < list.len() => {
                list.remove(*index);
            }
            (Step::Index(_), Value::List(_)) => {}
            _ => return Err(nowhere()),
        }
        Ok(())
    }

    /// Of removals in one list the highest index goes first, so that none moves another.
    pub(super) fn last_index(&self) -> usize {
        match self.0.last() {
            Some(Step::Index(index)) => *index,
            Some(Step::Name(_)) | None => 0,
        }
    }
}

fn descend<'a>(item: &'a mut Item, way: &[Step]) -> Option<&'a mut Value> {
    let (first, rest) = way.split_first()?;
    let Step::Name(name) = first else { return None };
    let mut value = item.get_mut(name)?;
    for step in rest {
        value = match (step, value) {
            (Step::Name(name), Value::Map(map)) => map.get_mut(name)?,
            (Step::Index(index), Value::List(list)) => list.get_mut(*index)?,
            _ => return None,
        };
    }
    Some(value)
}

fn nowhere() -> Refusal {
    Refusal::validation("The document path provided in the update expression is invalid for update")
}
