//! Tables of DynamoDB and their items.
