//! Walking through an expression, and what `#name` and `:value` in it stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::IntoIter;

use serde_json::{Map, Value as Json};

use super::super::refusal::Refusal;
use super::super::value::Value;
use super::path::{Path, Step};
use super::token::{Token, syntax, tokens};

/// AWS's own limit of an expression's length.
const MOST_BYTES: usize = 4_096;
/// Parentheses and NOTs in one another; the rest is kept short by the length.
const MOST_LEVELS: usize = 100;
/// The names that DynamoDB takes only behind a `#name`, as its developer guide lists them.
const RESERVED: &str = include_str!("reserved.txt");

/// The names and values that the expressions of one request share. Each must be used.
#[derive(Debug)]
pub(in super::super) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Value>,
    used: BTreeSet<String>,
}

impl Placeholders {
    pub(in super::super) fn new(
        names: &BTreeMap<String, String>,
        values: &Map<String, Json>,
    ) -> Result<Self, Refusal> {
        let values = values.iter().map(|(name, value)| Ok((name.clone(), Value::read(value)?)));
        let values = values.collect::<Result<_, Refusal>>()?;
        Ok(Self { names: names.clone(), values, used: BTreeSet::new() })
    }

    /// To be asked when all expressions of the request are read.
    pub(in super::super) fn all_used(&self) -> Result<(), Refusal> {
        for (what, unused) in [
            ("Names", self.names.keys().find(|name| !self.used.contains(*name))),
            ("Values", self.values.keys().find(|name| !self.used.contains(*name))),
        ] {
            if let Some(unused) = unused {
                return Err(Refusal::validation(format!(
                    "Value provided in ExpressionAttribute{what} unused in expressions: keys: \
                     {{{unused}}}"
                )));
            }
        }
        Ok(())
    }
}

/// One expression, read from left to right.
pub(in super::super) struct Parser<'a> {
    what: &'static str,
    tokens: IntoIter<Token>,
    placeholders: &'a mut Placeholders,
    level: usize,
}

impl<'a> Parser<'a> {
    /// Reads all of `text` by `grammar`; `what` is the parameter's name.
    pub(in super::super) fn read<T>(
        what: &'static str,
        text: &str,
        placeholders: &'a mut Placeholders,
        grammar: impl FnOnce(&mut Parser<'a>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let refuse = |reason: String| Refusal::validation(format!("Invalid {what}: {reason}"));
        if text.trim().is_empty() {
            return Err(refuse("The expression can not be empty;".to_owned()));
        }
        if text.len() > MOST_BYTES {
            return Err(refuse(format!(
                "Expression size has exceeded the maximum allowed size; expression size: {}",
                text.len()
            )));
        }
        let tokens = tokens(text).map_err(|refusal| refuse(refusal.message))?.into_iter();
        let mut parser = Parser { what, tokens, placeholders, level: 0 };
        let read = grammar(&mut parser)?;
        match parser.next() {
            Some(token) => Err(parser.unexpected(Some(&token))),
            None => Ok(read),
        }
    }

    pub(super) fn refuse(&self, reason: impl AsRef<str>) -> Refusal {
        Refusal::validation(format!("Invalid {}: {}", self.what, reason.as_ref()))
    }

    pub(super) fn unexpected(&self, token: Option<&Token>) -> Refusal {
        let token = token.map_or_else(|| "<EOF>".to_owned(), Token::text);
        self.refuse(syntax(&token).message)
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.as_slice().first()
    }

    pub(super) fn peek_second(&self) -> Option<&Token> {
        self.tokens.as_slice().get(1)
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        self.tokens.next()
    }

    /// Takes the sign if it is next.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        if found {
            self.tokens.next();
        }
        found
    }

    /// Takes the keyword if it is next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(keyword));
        if found {
            self.tokens.next();
        }
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), Refusal> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(self.peek())) }
    }

    /// Reads something inside parentheses, a bounded number of levels deep.
    pub(super) fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if self.level >= MOST_LEVELS {
            return Err(self.refuse("The expression is nested too deeply"));
        }
        self.level += 1;
        let read = inside(self);
        self.level -= 1;
        read
    }

    /// A list of at least one, separated by commas.
    pub(super) fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let mut list = vec![each(self)?];
        while self.sign(",") {
            list.push(each(self)?);
        }
        Ok(list)
    }

    /// The value behind the `:name` that is next.
    pub(super) fn value(&mut self) -> Result<Value, Refusal> {
        let Some(Token::Value(name)) = self.next() else {
            return Err(self.refuse("a value in the form :name is expected"));
        };
        let Some(value) = self.placeholders.values.get(&name).cloned() else {
            return Err(self.refuse(format!(
                "An expression attribute value used in expression is not defined; attribute \
                 value: {name}"
            )));
        };
        self.placeholders.used.insert(name);
        Ok(value)
    }

    pub(super) fn path(&mut self) -> Result<Path, Refusal> {
        let mut path = vec![Step::Name(self.name()?)];
        loop {
            if self.sign(".") {
                path.push(Step::Name(self.name()?));
            } else if self.sign("[") {
                match self.next() {
                    Some(Token::Index(index)) => path.push(Step::Index(index)),
                    other => return Err(self.unexpected(other.as_ref())),
                }
                self.expect_sign("]")?;
            } else {
                return Ok(Path(path));
            }
        }
    }

    fn name(&mut self) -> Result<String, Refusal> {
        match self.next() {
            Some(Token::Word(word)) => {
                let upper = word.to_ascii_uppercase();
                if RESERVED.split_whitespace().any(|reserved| reserved == upper) {
                    return Err(self.refuse(format!(
                        "Attribute name is a reserved keyword; reserved keyword: {word}"
                    )));
                }
                Ok(word)
            }
            Some(Token::Name(name)) => {
                let Some(meant) = self.placeholders.names.get(&name).cloned() else {
                    return Err(self.refuse(format!(
                        "An expression attribute name used in the document path is not defined; \
                         attribute name: {name}"
                    )));
                };
                self.placeholders.used.insert(name);
                Ok(meant)
            }
            other => Err(self.unexpected(other.as_ref())),
        }
    }
}
