//! Changing items: first judged whole, then applied whole.

use serde_json::{Map, Value as Json, json};

use super::ask::Ask;
use super::expression::{Condition, Projection, Update};
use super::key::Key;
use super::refusal::Refusal;
use super::table::Table;
use super::tables::{Tables, find, find_mut};
use super::value::{Item, item_json, read_item};

/// One change that somebody asks for.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) table: String,
    pub(super) key: Key,
    /// The key's attributes.
    named: Item,
    change: Change,
    condition: Option<Condition>,
    /// The item goes along with the refusal.
    shows_item: bool,
    returns: Returns,
}

#[derive(Debug)]
enum Change {
    Put(Item),
    Update(Option<Update>),
    Delete,
    /// Only the condition is asked.
    Check,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    Nothing,
    AllOld,
    AllNew,
    UpdatedOld,
    UpdatedNew,
}

/// What an item was, and what it is from now on.
#[derive(Debug)]
pub(super) struct Judged {
    old: Option<Item>,
    new: Option<Item>,
}

impl Write {
    pub(super) fn read(tables: &Tables, action: &str, ask: &Ask) -> Result<Self, Refusal> {
        let name = ask.table()?;
        let mut placeholders = ask.placeholders()?;
        let condition = ask.condition(&mut placeholders)?;
        let update = ask.update(&mut placeholders)?;
        placeholders.all_used()?;
        let table = find(tables, &name)?;
        let (key, named, change) = if action == "PutItem" {
            let item = read_item(ask.item.as_ref().ok_or_else(|| Refusal::missing("item"))?)?;
            let key = table.check(&item)?;
            let named = table.schema.parts().filter_map(|part| item.get_key_value(&part.name));
            let named = named.map(|(name, value)| (name.clone(), value.clone())).collect();
            (key, named, Change::Put(item))
        } else {
            let named = ask.key()?;
            let key = table.schema.of_key(&named)?;
            let change = match action {
                "UpdateItem" => Change::Update(update),
                "DeleteItem" => Change::Delete,
                _ => Change::Check,
            };
            (key, named, change)
        };
        if let Change::Update(Some(update)) = &change
            && let Some(part) = update.attributes().find(|name| table.schema.has(name))
        {
            return Err(Refusal::validation(format!(
                "One or more parameter values were invalid: Cannot update attribute {part}. This \
                 attribute is part of the key"
            )));
        }
        let shows_item = ask.return_values_on_condition_check_failure.as_deref() == Some("ALL_OLD");
        let returns = Returns::read(ask.return_values.as_deref(), action)?;
        Ok(Self { table: name, key, named, change, condition, shows_item, returns })
    }

    /// What would become of the item; nothing is changed.
    pub(super) fn judge(&self, table: &Table) -> Result<Judged, Refusal> {
        let old = table.items.get(&self.key).cloned();
        let nothing = Item::new();
        if let Some(condition) = &self.condition
            && !condition.holds(old.as_ref().unwrap_or(&nothing))
        {
            let text = "The conditional request failed";
            let refusal = Refusal::new("ConditionalCheckFailedException", text);
            return Err(match old {
                Some(item) if self.shows_item => refusal.with("Item", item_json(&item)),
                Some(_) | None => refusal,
            });
        }
        let new = match &self.change {
            Change::Put(item) => Some(item.clone()),
            Change::Delete => None,
            Change::Check => old.clone(),
            Change::Update(update) => {
                let before = old.as_ref().unwrap_or(&self.named);
                let after = match update {
                    Some(update) => update.apply(before)?,
                    None => before.clone(),
                };
                table.check(&after)?;
                Some(after)
            }
        };
        Ok(Judged { old, new })
    }

    pub(super) fn apply(&self, table: &mut Table, judged: &Judged) {
        match &judged.new {
            Some(item) => {
                table.items.insert(self.key.clone(), item.clone());
            }
            None => {
                table.items.remove(&self.key);
            }
        }
    }

    fn answer(&self, judged: &Judged) -> Json {
        let changed = || {
            let Change::Update(Some(update)) = &self.change else { return Projection::default() };
            Projection::plain(update.attributes())
        };
        let attributes = match self.returns {
            Returns::Nothing => None,
            Returns::AllOld => judged.old.clone(),
            Returns::AllNew => judged.new.clone(),
            Returns::UpdatedOld => judged.old.as_ref().map(|item| changed().apply(item)),
            Returns::UpdatedNew => judged.new.as_ref().map(|item| changed().apply(item)),
        };
        let mut answer = Map::new();
        if let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) {
            answer.insert("Attributes".to_owned(), item_json(&attributes));
        }
        Json::Object(answer)
    }
}

impl Returns {
    fn read(text: Option<&str>, action: &str) -> Result<Self, Refusal> {
        let update = action == "UpdateItem";
        Ok(match text {
            None | Some("NONE") => Self::Nothing,
            Some("ALL_OLD") => Self::AllOld,
            Some("ALL_NEW") if update => Self::AllNew,
            Some("UPDATED_OLD") if update => Self::UpdatedOld,
            Some("UPDATED_NEW") if update => Self::UpdatedNew,
            Some(_) => return Err(Refusal::validation("Return values set to invalid value")),
        })
    }
}

/// `PutItem`, `UpdateItem`, `DeleteItem`.
pub(super) fn one(tables: &mut Tables, action: &str, ask: &Ask) -> Result<Json, Refusal> {
    let write = Write::read(tables, action, ask)?;
    let table = find_mut(tables, &write.table)?;
    let judged = write.judge(table)?;
    write.apply(table, &judged);
    Ok(write.answer(&judged))
}

/// The reason of one part of a cancelled transaction.
pub(super) fn reason(judged: &Result<Judged, Refusal>) -> Json {
    let Err(refusal) = judged else { return json!({ "Code": "None" }) };
    let code = match refusal.code {
        "ConditionalCheckFailedException" => "ConditionalCheckFailed",
        "ValidationException" => "ValidationError",
        code => code,
    };
    let mut reason = refusal.more.clone();
    reason.insert("Code".to_owned(), json!(code));
    reason.insert("Message".to_owned(), json!(refusal.message));
    Json::Object(reason)
}
