//! What AWSimple names a channel's topic and queues, and a node where nobody names it.

use sha1::{Digest, Sha1};

use crate::config::env;

/// What is between the parts of a name before they are hashed, since AWSimple 8.
const BETWEEN: char = '\u{1f}';

/// Which version of AWSimple names the queues. Topics have one name in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// AWSimple 7: `ps` and the hash of topic and node, one written after the other.
    Seven,
    /// AWSimple 8: the topic's name and the hash of the node.
    #[default]
    Eight,
}

impl Scheme {
    /// The name of the queue of this channel and node.
    pub fn queue(self, channel: &str, node: &str) -> String {
        let topic = topic(channel);
        match self {
            Self::Seven => format!("ps{}", mangle(&[&format!("{topic}{node}")])),
            Self::Eight => format!("{topic}{}", mangle(&[node])),
        }
    }
}

/// The name of a channel's topic.
pub(super) fn topic(channel: &str) -> String {
    format!("ps{}", mangle(&[channel]))
}

/// A name that every AWS service takes: the SHA-1 of the text in base 36, 30 or 31 characters.
/// Several parts are hashed as AWSimple 8 joins them.
pub fn mangle(parts: &[&str]) -> String {
    let text = parts.join(&BETWEEN.to_string());
    let mut number: Vec<u8> = Sha1::digest(text.as_bytes()).to_vec();
    let mut digits = Vec::new();
    while number.iter().any(|byte| *byte > 0) {
        let mut rest: u32 = 0;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 36).unwrap_or(u8::MAX);
            rest = value % 36;
        }
        digits.push(char::from_digit(rest, 36).unwrap_or('0'));
    }
    digits.into_iter().rev().collect()
}

/// The node of this user on this computer: `<computer>-<user>`.
pub fn default_node() -> String {
    let computer = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{computer}-{}", user())
}

/// The user's name as Python's `getpass` finds it, by which AWSimple names a node; the number where
/// the environment has none.
fn user() -> String {
    ["LOGNAME", "USER", "LNAME", "USERNAME"]
        .into_iter()
        .find_map(env::value)
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| rustix::process::getuid().as_raw().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a12_names_are_mangled_as_awsimple_does() {
        for (name, mangled) in [
            ("My Topic Name!", "lc6dwk3bn32n6upqpos4ryluxluxsvd"),
            ("Topic@123", "jwxskzojw9o2717rs24rtwqgy50v4yn"),
            ("with.a.dot", "boo0z8dyxiirijsg69qg4g2yg3tsd7w"),
            ("a_6.3", "d4gg6yrpd2pieqhchpz2qlc7a52shxy"),
            ("-5", "dk1zux1ndufnok5x2v4uj3flwtzxpr6"),
            ("0", "lasw0dw8dpjcoalne79l4km57y91kwc"),
            ("ab", "phbce4exwcst2t3d0hqd8k81nc27kd8"),
        ] {
            assert_eq!(mangle(&[name]), mangled, "{name}");
        }
        assert_eq!(mangle(&["a", "b"]), "c7ef3ye8mdd2fllshy1u6r0w4156jm8");
    }

    #[test]
    fn both_schemes_name_the_queue_of_a_node() {
        let topic = topic("My Topic Name!");
        assert_eq!(topic, "pslc6dwk3bn32n6upqpos4ryluxluxsvd");
        let node = mangle(&["a_6.3"]);
        assert_eq!(Scheme::Eight.queue("My Topic Name!", "a_6.3"), format!("{topic}{node}"));
        let both = mangle(&[&format!("{topic}a_6.3")]);
        assert_eq!(Scheme::Seven.queue("My Topic Name!", "a_6.3"), format!("ps{both}"));
        assert!(Scheme::Eight.queue("x", "y").len() <= 80);
    }

    #[test]
    fn the_default_node_is_of_a_computer_and_a_user() {
        let node = default_node();
        let (computer, user) = node.rsplit_once('-').unwrap();
        assert!(!computer.is_empty() && !user.is_empty(), "{node}");
        assert_eq!(default_node(), node);
    }
}
