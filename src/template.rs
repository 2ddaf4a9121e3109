//! Texts that each message fills in: `reports/{year}/{month}/{day}/{message_id}.json`.
//!
//! What a template gives depends on the message alone and never on the moment or on how often it
//! came, so that a message that comes again gets the same text: times are those of its sending.

use std::fmt;
use std::time::SystemTime;

use crate::message::Message;
use crate::units;

/// A text with places that a message fills in.
///
/// `{message_id}`, `{queue}`, `{event}`, `{group}`, `{attribute.NAME}`; of the time at which it was
/// sent, in UTC, `{year}`, `{month}`, `{day}`, `{hour}`, or `{date:%Y-%m-%d}` with `%Y %m %d %H %M
/// %S %%`. A brace is written twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    MessageId,
    Queue,
    Event,
    Group,
    Attribute(String),
    /// A format of the time at which the message was sent.
    Sent(String),
}

/// What may stand between braces.
const ALLOWED: &str = "{message_id} {queue} {event} {group} {attribute.NAME} {year} {month} {day} \
                       {hour} {date:%Y-%m-%d}";

impl Template {
    /// Takes a text apart.
    ///
    /// # Errors
    /// Says which place is unknown, or which brace has no other.
    pub fn read(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let doubled = matches!(c, '{' | '}') && rest.as_str().starts_with(c);
            if doubled {
                rest.next();
            }
            match c {
                '{' if !doubled => {
                    let (place, after) = rest.as_str().split_once('}').ok_or_else(|| {
                        format!("{text:?} opens a brace and does not close it; a brace is {{{{")
                    })?;
                    rest = after.chars();
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::read(place)?);
                }
                '}' if !doubled => {
                    return Err(format!(
                        "{text:?} closes a brace that is not open; a brace is }}}}"
                    ));
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// The text for a message.
    ///
    /// # Errors
    /// Says what the message does not have.
    pub fn fill(&self, message: &Message) -> Result<String, String> {
        let mut filled = String::with_capacity(self.text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::MessageId => filled.push_str(&message.id),
                Piece::Queue => filled.push_str(&message.queue),
                Piece::Event => {
                    filled.push_str(message.event.as_deref().ok_or("it has no event")?);
                }
                Piece::Group => filled.push_str(message.group().ok_or("it has no group")?),
                Piece::Attribute(name) => {
                    let value = message.attributes.get(name).and_then(|value| value.as_text());
                    filled.push_str(
                        value.ok_or_else(|| format!("it has no attribute {name} with a text"))?,
                    );
                }
                Piece::Sent(format) => {
                    let sent = message.sent_at().ok_or("SQS does not tell when it was sent")?;
                    filled.push_str(&formatted(format, sent));
                }
            }
        }
        Ok(filled)
    }

    /// True where no two messages get the same text.
    pub fn tells_messages_apart(&self) -> bool {
        self.pieces.contains(&Piece::MessageId)
    }

    /// True where the event of a message is filled in.
    pub fn needs_event(&self) -> bool {
        self.pieces.contains(&Piece::Event)
    }

    /// The message attributes that are filled in.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Attribute(name) => Some(name.as_str()),
            Piece::Text(_)
            | Piece::MessageId
            | Piece::Queue
            | Piece::Event
            | Piece::Group
            | Piece::Sent(_) => None,
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Piece {
    fn read(place: &str) -> Result<Self, String> {
        let sent = |format: &str| Ok(Self::Sent(format.to_owned()));
        match place {
            "message_id" => Ok(Self::MessageId),
            "queue" => Ok(Self::Queue),
            "event" => Ok(Self::Event),
            "group" => Ok(Self::Group),
            "year" => sent("%Y"),
            "month" => sent("%m"),
            "day" => sent("%d"),
            "hour" => sent("%H"),
            place => match (place.strip_prefix("attribute."), place.strip_prefix("date:")) {
                (Some(name), _) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
                (_, Some(format)) => check_format(format).and_then(|()| sent(format)),
                _ => Err(format!("{{{place}}} is unknown; allowed: {ALLOWED}")),
            },
        }
    }
}

fn check_format(format: &str) -> Result<(), String> {
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c == '%' && !rest.next().is_some_and(|letter| "YmdHMS%".contains(letter)) {
            return Err(format!("{{date:{format}}} is unknown; allowed: %Y %m %d %H %M %S %%"));
        }
    }
    if format.is_empty() {
        return Err("{date:} has no format; write one like {date:%Y-%m-%d}".to_owned());
    }
    Ok(())
}

/// A format that was checked.
fn formatted(format: &str, time: SystemTime) -> String {
    // 2012-06-14T09:30:00.250Z
    let whole = units::utc(time);
    let part = |range| whole.get(range).unwrap_or_default();
    let mut text = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '%' { rest.next() } else { None }) {
            ('%', Some('Y')) => text.push_str(part(0..4)),
            ('%', Some('m')) => text.push_str(part(5..7)),
            ('%', Some('d')) => text.push_str(part(8..10)),
            ('%', Some('H')) => text.push_str(part(11..13)),
            ('%', Some('M')) => text.push_str(part(14..16)),
            ('%', Some('S')) => text.push_str(part(17..19)),
            (c, _) => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::message::Attribute;

    fn message() -> Message {
        let system = [("SentTimestamp", "1339666200250"), ("MessageGroupId", "g")];
        let tint = ("tint".to_owned(), Attribute::String("red/é".to_owned()));
        Message {
            id: "5fea".to_owned(),
            queue: "orders".to_owned(),
            body: "x".into(),
            attributes: BTreeMap::from([tint]),
            labels: BTreeMap::new(),
            system_attributes: system.map(|(name, value)| (name.into(), value.into())).into(),
            event: Some("OrderPlaced.shop".to_owned()),
        }
    }

    #[test]
    fn every_place_is_filled_from_the_message() {
        for (template, filled) in [
            ("", ""),
            ("plain", "plain"),
            ("{queue}/{year}/{month}/{day}/{hour}/{message_id}", "orders/2012/06/14/09/5fea"),
            ("{date:%Y%m%d-%H.%M.%S 100%%}", "20120614-09.30.00 100%"),
            ("{event}|{group}|{attribute.tint}", "OrderPlaced.shop|g|red/é"),
            ("{{{queue}}} {{}}", "{orders} {}"),
        ] {
            let told = Template::read(template).unwrap().fill(&message());
            assert_eq!(told.as_deref(), Ok(filled), "{template}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_known_before() {
        for (template, word) in [
            ("{message}", "{message} is unknown"),
            ("{}", "{} is unknown"),
            ("{attribute.}", "unknown"),
            ("{queue", "does not close"),
            ("queue}", "not open"),
            ("{date:}", "no format"),
            ("{date:%y}", "unknown"),
            ("{date:%}", "unknown"),
        ] {
            let told = Template::read(template).unwrap_err();
            assert!(told.contains(word), "{template}: {told}");
        }
    }

    #[test]
    fn what_a_message_does_not_have_is_named() {
        let mut message = message();
        message.event = None;
        message.system_attributes.clear();
        for (template, word) in [
            ("{event}", "event"),
            ("{group}", "group"),
            ("{year}", "when it was sent"),
            ("{attribute.other}", "attribute other"),
        ] {
            let told = Template::read(template).unwrap().fill(&message).unwrap_err();
            assert!(told.contains(word), "{template}: {told}");
        }
    }

    #[test]
    fn a_template_knows_what_it_needs() {
        let template = Template::read("{attribute.a}{attribute.b.c}{event}").unwrap();
        assert_eq!(template.attributes().collect::<Vec<_>>(), ["a", "b.c"]);
        assert!(template.needs_event() && !template.tells_messages_apart());
        assert!(Template::read("x{message_id}").unwrap().tells_messages_apart());
    }
}
