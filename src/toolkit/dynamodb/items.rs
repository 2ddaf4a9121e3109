//! One item: get, put, delete, upsert.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::Table;
use super::item::{IntoItem, Item};
use crate::again::again;
use crate::error::{Error, Kind, Result};

impl Table {
    /// The item of this key; nothing where there is none. The read is consistent.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the table has another key; [`Kind::Missing`] where there is no such
    /// table; [`Kind::Denied`] without permission.
    pub async fn get(&self, key: &impl IntoItem) -> Result<Option<Item>> {
        let key = key.to_item()?.for_sdk();
        let request = self.client.get_item().table_name(&*self.name).consistent_read(true);
        let request = request.set_key(Some(key));
        let answer = again(|| {
            let request = request.clone();
            async move { request.send().await.map_err(|error| self.failed("getting an item of", error)) }
        });
        Ok(answer.await?.item.map(Item::of_sdk))
    }

    /// Puts an item in the place of the one that has its key, if any.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`Kind::Invalid`] for an item of more than 400 KB, too.
    pub async fn put(&self, item: &impl IntoItem) -> Result<()> {
        let item = item.to_item()?.for_sdk();
        let request = self.client.put_item().table_name(&*self.name).set_item(Some(item));
        let put = again(|| {
            let request = request.clone();
            async move {
                request.send().await.map_err(|error| self.failed("putting an item into", error))
            }
        });
        self.writing(put).await.map(drop)
    }

    /// Puts an item unless there is one of its key; true where it was put.
    ///
    /// Where an answer was lost and the very same item is found on the next try, it counts as put.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_if_absent(&self, item: &impl IntoItem) -> Result<bool> {
        let item = item.to_item()?;
        let schema = self.schema().await?;
        schema.identity(&item)?;
        let request = self
            .client
            .put_item()
            .table_name(&*self.name)
            .set_item(Some(item.for_sdk()))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", &schema.partition.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut tried = false;
        let put = again(|| {
            let (request, item) = (request.clone(), &item);
            let tried = std::mem::replace(&mut tried, true);
            async move {
                let Err(error) = request.send().await else { return Ok(true) };
                if let Some(PutItemError::ConditionalCheckFailedException(refused)) =
                    error.as_service_error()
                {
                    let found = refused.item().cloned().map(Item::of_sdk);
                    return Ok(tried && found.as_ref() == Some(item));
                }
                Err(self.failed("putting an item into", error))
            }
        });
        self.writing(put).await
    }

    /// Deletes the item of this key; one that is not there is fine.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, key: &impl IntoItem) -> Result<()> {
        let key = key.to_item()?.for_sdk();
        let request = self.client.delete_item().table_name(&*self.name).set_key(Some(key));
        let delete = again(|| {
            let request = request.clone();
            async move {
                request.send().await.map_err(|error| self.failed("deleting an item of", error))
            }
        });
        self.writing(delete).await.map(drop)
    }

    /// Sets these attributes of the item of this key and leaves its others as they are; creates the
    /// item where there is none. Gives the item as it is then.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn upsert(&self, key: &impl IntoItem, set: &impl IntoItem) -> Result<Item> {
        let (key, set) = (key.to_item()?, set.to_item()?);
        if let Some((name, _)) = set.iter().find(|(name, _)| key.get(name).is_some()) {
            let what = format!("setting the attribute {name:?}, which is the item's key");
            return Err(Error::new(Kind::Invalid, what).hint("leave it out of what is set"));
        }
        let mut request = self.client.update_item().table_name(&*self.name);
        let mut sets = Vec::new();
        for (place, (name, value)) in set.iter().enumerate() {
            request = request.expression_attribute_names(format!("#n{place}"), name);
            request = request.expression_attribute_values(format!(":v{place}"), value.clone());
            sets.push(format!("#n{place} = :v{place}"));
        }
        let update = (!sets.is_empty()).then(|| format!("SET {}", sets.join(", ")));
        let request = request
            .set_key(Some(key.for_sdk()))
            .set_update_expression(update)
            .return_values(ReturnValue::AllNew);
        let update = again(|| {
            let request = request.clone();
            async move {
                request.send().await.map_err(|error| self.failed("updating an item of", error))
            }
        });
        let answer = self.writing(update).await?;
        Ok(answer.attributes.map(Item::of_sdk).unwrap_or(key))
    }
}
