//! Events, in iniesta's sense: the named kind of a message; patterns over their names, and which of
//! them cover or hide another.

use std::fmt;

/// The message attribute that names the event, unless the settings name another.
pub const KEY: &str = "iniesta_pass";

/// The name under which a service announces an event: `{event}.{service}`, and the event as it is
/// where it ends so already.
pub fn of_service(event: &str, service: &str) -> String {
    let has_it = event.strip_suffix(service).is_some_and(|stem| stem.ends_with('.'));
    if has_it { event.to_owned() } else { format!("{event}.{service}") }
}

/// Some events: one by its exact name, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// The event of this name.
    Exact(String),
    /// Every event that begins with this; with nothing, every event.
    Prefix(String),
}

impl Pattern {
    /// As a route names it: an exact name, or a prefix written `Order*`.
    ///
    /// # Errors
    /// Says what is wrong: an empty name, or a star that is not the last character.
    pub fn of_route(text: &str) -> Result<Self, String> {
        let (stem, is_prefix) = text.strip_suffix('*').map_or((text, false), |stem| (stem, true));
        if text.is_empty() {
            return Err("the empty event never matches; name an event".to_owned());
        }
        if stem.contains('*') {
            return Err(format!(
                "{text:?} never matches: a * stands for anything only once and at the end"
            ));
        }
        Ok(if is_prefix { Self::Prefix(stem.to_owned()) } else { Self::Exact(stem.to_owned()) })
    }

    /// As iniesta's filters name it: exactly one dot, and after it `*` alone for any event of that
    /// name.
    ///
    /// # Errors
    /// Says what is wrong, naming the filter.
    pub fn of_filter(text: &str) -> Result<Self, String> {
        if text.matches('.').count() != 1 {
            return Err(format!(
                "the filter {text:?} has not exactly one dot; write \"Event.service\" or \"Event.*\""
            ));
        }
        match text.strip_suffix(".*").map(|stem| stem.contains('*')) {
            Some(false) => Ok(Self::Prefix(text.trim_end_matches('*').to_owned())),
            None if !text.contains('*') => Ok(Self::Exact(text.to_owned())),
            Some(true) | None => Err(format!(
                "the filter {text:?} never matches: a * stands only alone behind the dot, as in \
                 \"Event.*\""
            )),
        }
    }

    /// True for an event that it names.
    pub fn matches(&self, event: &str) -> bool {
        match self {
            Self::Exact(name) => name == event,
            Self::Prefix(prefix) => event.starts_with(prefix.as_str()),
        }
    }

    /// True where it names every event that the other names.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(_), Self::Prefix(_)) => false,
            (_, Self::Exact(name) | Self::Prefix(name)) => self.matches(name),
        }
    }

    /// The events that both name, where there are any.
    fn meet<'a>(&'a self, other: &'a Self) -> Option<&'a Self> {
        if self.covers(other) {
            Some(other)
        } else if other.covers(self) {
            Some(self)
        } else {
            None
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// Those patterns that no other covers, each once, in the order given.
pub fn without_shadowed(patterns: &[Pattern]) -> Vec<Pattern> {
    let mut kept: Vec<Pattern> = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        let is_shadowed = patterns.iter().any(|other| other != pattern && other.covers(pattern));
        if !is_shadowed && !kept.contains(pattern) {
            kept.push(pattern.clone());
        }
    }
    kept
}

/// Why no message ever reaches this one of the routes, if that is so: what passes the filters goes
/// to the exact route of its event, else to the longest prefix.
pub fn unreachable(route: &Pattern, routes: &[Pattern], filters: &[Pattern]) -> Option<String> {
    let passing: Vec<&Pattern> = filters.iter().filter_map(|filter| filter.meet(route)).collect();
    if passing.is_empty() {
        return Some(format!("no filter lets an event of the route {route} through"));
    }
    // Of two routes that match, the one that the other covers is the more specific and wins.
    let closer = |other: &&Pattern| *other != route && route.covers(other);
    let hidden =
        passing.iter().all(|events| routes.iter().filter(closer).any(|other| other.covers(events)));
    hidden
        .then(|| format!("closer routes take every event that the filters let through to {route}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(name: &str) -> Pattern {
        Pattern::Exact(name.to_owned())
    }

    fn prefix(name: &str) -> Pattern {
        Pattern::Prefix(name.to_owned())
    }

    #[test]
    fn i2_the_service_is_appended_once() {
        assert_eq!(of_service("do something", "xavi"), "do something.xavi");
        assert_eq!(of_service("E.xavi", "xavi"), "E.xavi");
        assert_eq!(of_service("Exavi", "xavi"), "Exavi.xavi");
        assert_eq!(of_service("xavi", "xavi"), "xavi.xavi");
    }

    #[test]
    fn i1_a_filter_has_exactly_one_dot_and_a_star_only_alone_behind_it() {
        assert_eq!(Pattern::of_filter("help.me"), Ok(exact("help.me")));
        assert_eq!(Pattern::of_filter("some.*"), Ok(prefix("some.")));
        for wrong in ["Event", "a.b.c", "", "*.svc", "a.b*", "a*.b", "*", "*.*", "a.**", "a*.*"] {
            let told = Pattern::of_filter(wrong).unwrap_err();
            assert!(told.contains(&format!("{wrong:?}")), "{told}");
        }
    }

    #[test]
    fn a_route_is_exact_or_a_prefix() {
        assert_eq!(Pattern::of_route("OrderPlaced.shop"), Ok(exact("OrderPlaced.shop")));
        assert_eq!(Pattern::of_route("Order*"), Ok(prefix("Order")));
        assert_eq!(Pattern::of_route("*"), Ok(prefix("")));
        for wrong in ["", "a*b", "**", "*a"] {
            assert!(Pattern::of_route(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_another_covers_is_left_out() {
        let given =
            [exact("a.b"), prefix("c."), prefix("a."), exact("d.e"), prefix("c."), exact("c.x")];
        assert_eq!(without_shadowed(&given), [prefix("c."), prefix("a."), exact("d.e")]);
    }

    #[test]
    fn a_route_that_nothing_reaches_is_known() {
        let routes = [exact("A.shop"), prefix("A"), prefix("Ab"), exact("Z.z")];
        let filters = [exact("A.shop"), prefix("Ab.")];
        let reached = |route: &Pattern| unreachable(route, &routes, &filters);
        assert_eq!(reached(&exact("A.shop")), None);
        assert_eq!(reached(&prefix("Ab")), None);
        // The filter lets A.shop through, which has a route, and Ab.*, which has a longer prefix.
        assert!(reached(&prefix("A")).unwrap().contains("closer routes"));
        assert!(reached(&exact("Z.z")).unwrap().contains("no filter"));
        assert_eq!(unreachable(&prefix("A"), &routes, &[prefix("A.")]), None);
        assert_eq!(unreachable(&prefix("Abc"), &[prefix("Abc")], &[prefix("A")]), None);
    }
}
