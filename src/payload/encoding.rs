//! Steps that are nothing but bytes: base64, gzip, JSON, and RelengAPI's base64 around JSON. All of
//! them read piece by piece, whatever the size. They block.

use std::fmt;
use std::io::{self, BufReader, Read};

use base64::prelude::BASE64_STANDARD;
use base64::read::DecoderReader;
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::Stop;
use super::spill::Bounds;
use crate::message::Body;

/// The beginning of every gzip member whose method is deflate, the only one there is (RFC 1952).
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// The canonical alphabet, canonical padding, no white space. What is not that is foreign: base64
/// has no beginning to be known by.
pub(super) fn base64(body: &Body, bounds: &Bounds) -> Result<Body, Stop> {
    if body.is_empty() {
        return Err(Stop::foreign("it is empty"));
    }
    let decoder = DecoderReader::new(body.reader(), &BASE64_STANDARD);
    let other = Stop::foreign("it is no base64 in the canonical alphabet with padding");
    bounds.take_all(decoder, other)
}

/// Any number of gzip members one after the other, and nothing behind them.
pub(super) fn gzip(body: &Body, bounds: &Bounds) -> Result<Body, Stop> {
    let mut beginning = Vec::new();
    let first = body.reader().take(3).read_to_end(&mut beginning);
    if first.is_err() || beginning != GZIP {
        return Err(Stop::foreign("it is no gzip"));
    }
    let decoder = MultiGzDecoder::new(BufReader::new(body.reader()));
    bounds.take_all(decoder, Stop::broken("its gzip is damaged"))
}

/// JSON in UTF-8; the body stays as it is.
pub(super) fn json(body: &Body, bounds: &Bounds) -> Result<(), Stop> {
    let valid = match body.as_bytes() {
        Some(bytes) => serde_json::from_slice::<Valid>(bytes),
        None => serde_json::from_reader(BufReader::new(Watched { body: body.reader(), bounds })),
    };
    bounds.go_on()?;
    match valid {
        Ok(Valid) => Ok(()),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(Stop::foreign(format!("it is no JSON, at line {line} column {column}")))
        }
    }
}

/// What RelengAPI sends: the JSON comes out of its base64.
pub(super) fn relengapi(body: &Body, bounds: &Bounds) -> Result<Body, Stop> {
    let inner = base64(body, bounds)?;
    json(&inner, bounds)?;
    Ok(inner)
}

/// Ends when nobody waits for it any more.
struct Watched<'a> {
    body: Box<dyn Read + Send>,
    bounds: &'a Bounds,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bounds.go_on().map_err(|_stop| io::Error::other("cut off"))?;
        self.body.read(buffer)
    }
}

/// Any JSON, of which nothing is kept. Unlike serde's own way to ignore a value, it looks at every
/// text: each has to be UTF-8.
struct Valid;

impl<'de> Deserialize<'de> for Valid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Valid {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while sequence.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
