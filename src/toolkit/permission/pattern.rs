//! Texts with `*` and `?`, and ARNs, whose parts are matched one by one.

use super::Match;

/// True where `text` is what the pattern stands for: `*` is any run of characters, `?` any one.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut next) = (0, 0);
    // Where the last star stands, and how far the text was when it was met.
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(at) {
        match pattern.get(next) {
            Some('*') => {
                star = Some((next, at));
                next += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                (at, next) = (at + 1, next + 1);
            }
            Some(_) | None => {
                let Some((place, met)) = star else { return false };
                star = Some((place, met + 1));
                (at, next) = (met + 1, place + 1);
            }
        }
    }
    pattern.get(next..).is_some_and(|rest| rest.iter().all(|letter| *letter == '*'))
}

/// An ARN against a pattern: each of the six parts is matched for itself. Where only the text as a
/// whole would match, it cannot be said how AWS takes it.
pub(super) fn like_arn(pattern: &str, arn: &str) -> Match {
    let (patterns, parts): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    let by_parts = patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(pattern, part)| like(pattern, part));
    if by_parts || pattern == "*" {
        Match::Yes
    } else if like(pattern, arn) {
        Match::Unknown(format!("{pattern:?} is no whole ARN"))
    } else {
        Match::No
    }
}
