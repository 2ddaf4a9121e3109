//! Which parts of an item are wanted.

use std::collections::BTreeMap;

use super::super::refusal::Refusal;
use super::super::value::{Item, Value};
use super::parse::Parser;
use super::path::{Path, Step};

#[derive(Debug, Clone, Default)]
pub(in super::super) struct Projection {
    names: BTreeMap<String, Wanted>,
}

#[derive(Debug, Clone)]
enum Wanted {
    All,
    Names(BTreeMap<String, Wanted>),
    Indexes(BTreeMap<usize, Wanted>),
}

impl Projection {
    pub(in super::super) fn grammar(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        let paths = parser.list(Parser::path)?;
        Self::of(&paths).ok_or_else(|| {
            parser.refuse("Two document paths overlap with each other; must remove or rewrite one")
        })
    }

    /// These attributes, whole.
    pub(in super::super) fn plain<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Self { names: names.map(|name| (name.to_owned(), Wanted::All)).collect() }
    }

    fn of(paths: &[Path]) -> Option<Self> {
        let mut root = Wanted::Names(BTreeMap::new());
        for path in paths {
            root.add(&path.0)?;
        }
        match root {
            Wanted::Names(names) => Some(Self { names }),
            Wanted::All | Wanted::Indexes(_) => None,
        }
    }

    pub(in super::super) fn apply(&self, item: &Item) -> Item {
        pick(&self.names, item)
    }

    /// True where every attribute that it wants is one of these.
    pub(in super::super) fn is_within(&self, known: impl Fn(&str) -> bool) -> bool {
        self.names.keys().all(|name| known(name))
    }
}

impl Wanted {
    /// None where the way overlaps with one that is there.
    fn add(&mut self, way: &[Step]) -> Option<()> {
        let (step, rest) = way.split_first()?;
        let next = match (self, step) {
            (Self::Names(names), Step::Name(name)) => names.entry(name.clone()),
            (Self::Indexes(indexes), Step::Index(index)) => {
                return match (indexes.get_mut(index), rest.is_empty()) {
                    (None, _) => {
                        indexes.insert(*index, Self::new(rest)?);
                        Some(())
                    }
                    (Some(_), true) => None,
                    (Some(there), false) => there.add(rest),
                };
            }
            _ => return None,
        };
        match next {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Self::new(rest)?);
                Some(())
            }
            std::collections::btree_map::Entry::Occupied(_) if rest.is_empty() => None,
            std::collections::btree_map::Entry::Occupied(mut there) => there.get_mut().add(rest),
        }
    }

    fn new(way: &[Step]) -> Option<Self> {
        let mut wanted = match way.first() {
            None => return Some(Self::All),
            Some(Step::Name(_)) => Self::Names(BTreeMap::new()),
            Some(Step::Index(_)) => Self::Indexes(BTreeMap::new()),
        };
        wanted.add(way)?;
        Some(wanted)
    }

    fn of(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::All, value) => Some(value.clone()),
            (Self::Names(names), Value::Map(map)) => {
                let picked = pick(names, map);
                (!picked.is_empty()).then_some(Value::Map(picked))
            }
            (Self::Indexes(indexes), Value::List(list)) => {
                let picked = indexes.iter().filter_map(|(at, wanted)| wanted.of(list.get(*at)?));
                let picked: Vec<_> = picked.collect();
                (!picked.is_empty()).then_some(Value::List(picked))
            }
            _ => None,
        }
    }
}

fn pick(names: &BTreeMap<String, Wanted>, item: &Item) -> Item {
    let picked =
        names.iter().filter_map(|(name, wanted)| Some((name.clone(), wanted.of(item.get(name)?)?)));
    picked.collect()
}
