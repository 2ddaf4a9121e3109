//! Texts and lists of texts, written in the settings or standing elsewhere.

use super::Section;
use crate::config::Locator;
use crate::config::value::{self, Item};

impl Section<'_> {
    pub(in crate::config) fn text(&mut self, key: &'static str) -> Option<String> {
        self.formed(key, |text| Ok(text.to_owned()))
    }

    /// A text with a form; `form` says what is wrong with it. The text may stand elsewhere, and is
    /// nothing until it has been read from there.
    pub(in crate::config) fn formed<T>(
        &mut self,
        key: &'static str,
        form: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.ask(key)?;
        let text = self.read(key, |node| value::text(&node.value))?;
        self.placed(key, (node.at, &text), &form, &form)
    }

    /// `found` is the form of a text that stands elsewhere. What it says of that text is told of
    /// another, so that a secret in the wrong place is not shown.
    fn placed<T>(
        &self,
        key: &str,
        (at, text): (usize, &str),
        written: impl Fn(&str) -> Result<T, String>,
        found: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let read = match Locator::read(text) {
            None => written(text),
            Some(_) if self.is_verbatim => {
                Err(format!("it is needed before {text} could be read; write the value itself"))
            }
            Some(Err(wrong)) => Err(wrong),
            Some(Ok(locator)) => {
                let held = self.document.value_of(at, self.dotted(key), locator)?;
                found(held.reveal()).map_err(|_| match found("\u{2026}") {
                    Err(wrong) => format!("what {text} holds will not do: {wrong}"),
                    Ok(_) => format!("what {text} holds will not do"),
                })
            }
        };
        read.map_err(|wrong| self.document.blame(at, format!("{key}: {wrong}"))).ok()
    }

    /// A list of texts, each of which `form` must find right.
    pub(in crate::config) fn texts(
        &mut self,
        key: &'static str,
        form: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Vec<String>> {
        self.list(key, |text| form(text).map(|()| text.to_owned()))
    }

    /// A list of texts, each read by its form; each is meant as it stands.
    pub(in crate::config) fn list<T>(
        &mut self,
        key: &'static str,
        form: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.items(key, |section, at, text| {
            let read = form(text);
            read.map_err(|wrong| section.document.blame(at, format!("{key}: {wrong}"))).ok()
        })
    }

    /// A list of texts, each of which may stand elsewhere, and then is read by `found`.
    pub(in crate::config) fn placed_list<T>(
        &mut self,
        key: &'static str,
        written: impl Fn(&str) -> Result<T, String>,
        found: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        self.items(key, |section, at, text| section.placed(key, (at, text), &written, &found))
    }

    fn items<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Self, usize, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let dialect = self.document.dialect;
        let items = self.read(key, |node| value::items(node, dialect))?;
        let count = items.len();
        let mut done = Vec::with_capacity(count);
        for Item { at, text } in items {
            match text {
                Ok(text) => done.extend(read(self, at, &text)),
                Err(wrong) => self.document.blame(at, format!("{key}: {wrong}")),
            }
        }
        (done.len() == count).then_some(done)
    }
}
