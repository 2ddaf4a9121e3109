//! Expressions cut into words.

use super::super::refusal::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An attribute, a keyword or a function.
    Word(String),
    /// `#name`
    Name(String),
    /// `:value`
    Value(String),
    Index(usize),
    Sign(&'static str),
}

impl Token {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Value(text) => text.clone(),
            Self::Index(index) => index.to_string(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }

    /// A keyword in any case.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Longer ones first.
const SIGNS: [&str; 14] = ["<=", ">=", "<>", "<", ">", "=", "(", ")", "[", "]", ",", ".", "+", "-"];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some((sign, left)) =
            SIGNS.iter().find_map(|sign| Some((sign, rest.strip_prefix(sign)?)))
        {
            found.push(Token::Sign(sign));
            rest = left.trim_start();
            continue;
        }
        let start = first.len_utf8();
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, character)| !(character.is_ascii_alphanumeric() || *character == '_'))
            .map_or(rest.len(), |(at, _)| at);
        let (word, left) = rest.split_at_checked(end.max(start)).unwrap_or((rest, ""));
        found.push(match first {
            '#' if word.len() > 1 => Token::Name(word.to_owned()),
            ':' if word.len() > 1 => Token::Value(word.to_owned()),
            '0'..='9' => Token::Index(word.parse().map_err(|_| syntax(word))?),
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(word.to_owned()),
            _ => return Err(syntax(word)),
        });
        rest = left.trim_start();
    }
    Ok(found)
}

pub(super) fn syntax(token: &str) -> Refusal {
    Refusal::validation(format!("Syntax error; token: \"{token}\""))
}
