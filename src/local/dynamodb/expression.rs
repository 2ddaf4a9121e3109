//! DynamoDB's expressions: conditions, filters, keys, updates and projections.

mod condition;
mod parse;
mod path;
mod projection;
mod token;
mod update;

pub(super) use self::condition::{Compare, Condition, Operand};
pub(super) use self::parse::{Parser, Placeholders};
pub(super) use self::path::Path;
pub(super) use self::projection::Projection;
pub(super) use self::update::Update;
