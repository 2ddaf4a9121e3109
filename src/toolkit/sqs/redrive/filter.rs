//! Which messages move.

use crate::message::Message;

/// Which messages move; those that it leaves stay in their queue. Empty, it lets everything move.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Events, exact or as a prefix written `Order*`; one of them must be the message's.
    pub events: Vec<String>,
    /// Message ids; one of them must be the message's.
    pub ids: Vec<String>,
    /// Attributes and their text; each of them must be there.
    pub attributes: Vec<(String, String)>,
    /// A text that the body must hold, as it came.
    pub body_contains: Option<String>,
}

impl Filter {
    /// True where the message moves.
    pub fn lets(&self, message: &Message) -> bool {
        self.lets_event(message.event.as_deref())
            && (self.ids.is_empty() || self.ids.contains(&message.id))
            && self.attributes.iter().all(|(name, wanted)| {
                let value = message.attributes.get(name).and_then(|value| value.as_text());
                value == Some(wanted.as_str())
            })
            && self.body_contains.as_deref().is_none_or(|wanted| {
                message.body.as_text().is_some_and(|body| body.contains(wanted))
            })
    }

    fn lets_event(&self, event: Option<&str>) -> bool {
        self.events.is_empty()
            || self.events.iter().any(|wanted| match (event, wanted.strip_suffix('*')) {
                (Some(event), Some(prefix)) => event.starts_with(prefix),
                (Some(event), None) => event == wanted,
                (None, _) => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Attribute;
    use std::collections::BTreeMap;

    fn message() -> Message {
        Message {
            id: "an-id".into(),
            queue: "dead".into(),
            body: r#"{"order": 7}"#.into(),
            attributes: BTreeMap::from([
                ("tenant".into(), Attribute::String("shop".into())),
                ("count".into(), Attribute::Number("3".into())),
                ("raw".into(), Attribute::Binary(vec![1].into())),
            ]),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            event: Some("OrderPlaced.shop".into()),
        }
    }

    #[test]
    fn each_part_must_hold() {
        let text = str::to_owned;
        let pair = |name: &str, value: &str| vec![(text(name), text(value))];
        let none = Filter::default;
        let lets = [
            none(),
            Filter { events: vec![text("Other"), text("Order*")], ..none() },
            Filter { events: vec![text("OrderPlaced.shop")], ids: vec![text("an-id")], ..none() },
            Filter { attributes: pair("count", "3"), ..none() },
            Filter { body_contains: Some(text("\"order\"")), ..none() },
        ];
        for filter in lets {
            assert!(filter.lets(&message()), "{filter:?}");
        }
        let leaves = [
            Filter { events: vec![text("OrderPlaced")], ..none() },
            Filter { ids: vec![text("another")], ..none() },
            Filter { attributes: pair("tenant", "web"), ..none() },
            Filter { attributes: pair("missing", ""), ..none() },
            Filter { attributes: pair("raw", "\u{1}"), ..none() },
            Filter { body_contains: Some(text("order:")), ..none() },
            Filter { events: vec![text("Order*")], ids: vec![text("another")], ..none() },
        ];
        for filter in leaves {
            assert!(!filter.lets(&message()), "{filter:?}");
        }
        let without = Message { event: None, ..message() };
        assert!(!Filter { events: vec![text("*")], ..none() }.lets(&without));
    }
}
