//! The embedded DynamoDB and STS asked by other hands, and the same questions asked of ministack.

use crate::support::{
    PATIENCE,
    daemon::program,
    emulator::{Emulator, embedded, ministack},
    venv,
};

/// Asserts what AWS's guide says, with boto3; prints one line for each thing that was right.
const QUESTIONS: &str = r#"
import sys, boto3
from decimal import Decimal
from boto3.dynamodb.conditions import Key, Attr
from botocore.exceptions import ClientError
where = dict(endpoint_url=sys.argv[1], region_name="us-east-1",
             aws_access_key_id="x", aws_secret_access_key="x")
db = boto3.resource("dynamodb", **where)
table = db.create_table(
    TableName="things", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"},
                          {"AttributeName": "at", "AttributeType": "N"},
                          {"AttributeName": "owner", "AttributeType": "S"}],
    GlobalSecondaryIndexes=[{"IndexName": "owner", "Projection": {"ProjectionType": "ALL"},
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}]}])
table.wait_until_exists()

def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{code} was expected")

with table.batch_writer() as batch:
    for at in range(60):
        batch.put_item(Item={"id": "a", "at": at, "owner": "me" if at % 2 else "you", "n": {"x": [at]}})
assert table.scan(Select="COUNT")["Count"] == 60
print("batch")
shown = table.query(KeyConditionExpression=Key("id").eq("a") & Key("at").between(7, 9))
assert [item["at"] for item in shown["Items"]] == [7, 8, 9]
newest = table.query(KeyConditionExpression=Key("id").eq("a"), ScanIndexForward=False, Limit=1)
assert newest["Items"][0]["at"] == 59 and newest["LastEvaluatedKey"] == {"id": "a", "at": 59}
print("query")
mine, start = [], {}
while True:
    page = table.query(IndexName="owner", KeyConditionExpression=Key("owner").eq("me"), Limit=7, **start)
    mine += page["Items"]
    if "LastEvaluatedKey" not in page:
        break
    start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
assert len(mine) == 30 and len({item["at"] for item in mine}) == 30
print("index")
few = table.scan(FilterExpression=Attr("at").lt(3) & Attr("n.x").exists(), ProjectionExpression="n.x[0]")
assert sorted(item["n"]["x"][0] for item in few["Items"]) == [0, 1, 2]
assert few["ScannedCount"] == 60
print("scan")
absent = dict(Item={"id": "b", "at": 1}, ConditionExpression="attribute_not_exists(id)")
table.put_item(**absent)
refused("ConditionalCheckFailedException", table.put_item, **absent)
answer = refused("ConditionalCheckFailedException", table.put_item,
    ReturnValuesOnConditionCheckFailure="ALL_OLD", **absent)
assert answer["Item"]["id"] in ("b", {"S": "b"}), answer
print("condition")
key = {"id": "b", "at": 1}
counted = table.update_item(Key=key, UpdateExpression="SET c = if_not_exists(c, :z) + :n ADD t :t",
    ExpressionAttributeValues={":z": 0, ":n": Decimal("1.5"), ":t": {"x", "y"}}, ReturnValues="ALL_NEW")
assert counted["Attributes"]["c"] == Decimal("1.5") and counted["Attributes"]["t"] == {"x", "y"}
assert table.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"]["id"] == "b"
assert "Item" not in table.get_item(Key=key, ConsistentRead=True)
print("update")
refused("ResourceNotFoundException", db.Table("nothing").get_item, Key={"id": "b"})
refused("ValidationException", table.get_item, Key={"id": "b"})
refused("ResourceInUseException", db.create_table, TableName="things", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
print("refusals")
client = db.meta.client
client.update_time_to_live(TableName="things",
    TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
told = client.describe_time_to_live(TableName="things")["TimeToLiveDescription"]
assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}, told
arn = client.describe_table(TableName="things")["Table"]["TableArn"]
client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
print("table")
sts = boto3.client("sts", **where)
role = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/loader", RoleSessionName="me")
assert role["AssumedRoleUser"]["Arn"].endswith(":assumed-role/loader/me")
assert role["Credentials"]["AccessKeyId"].startswith("ASIA")
assert sts.get_session_token()["Credentials"]["SessionToken"]
print("role")
"#;

fn answers(to: &Emulator) {
    let mut python = program(&venv("python"), ["-c", QUESTIONS, &to.endpoint()]).start();
    assert_eq!(python.wait(PATIENCE), 0, "{}", python.output());
    let right = python.stdout.all().join(" ");
    assert_eq!(right, "batch query index scan condition update refusals table role");
}

#[test]
fn boto3_gets_the_answers_that_aws_gives() {
    answers(&embedded());
}

#[test]
fn ministack_gives_boto3_the_same_answers() {
    answers(&ministack());
}

#[test]
fn the_aws_cli_makes_a_table_and_finds_what_it_put() {
    let aws = embedded();
    let cli = |arguments: &[&str]| {
        let launch = program(&venv("aws"), ["dynamodb"]).args(arguments).endpoint(&aws.endpoint());
        let launch = launch.env("AWS_DEFAULT_REGION", "us-east-1");
        let done = launch.finish();
        assert_eq!(done.code, 0, "{}", done.said());
        done.stdout
    };
    cli(&[
        "create-table",
        "--table-name=locks",
        "--key-schema=AttributeName=id,KeyType=HASH",
        "--attribute-definitions=AttributeName=id,AttributeType=S",
        "--billing-mode=PAY_PER_REQUEST",
    ]);
    cli(&["wait", "table-exists", "--table-name=locks"]);
    cli(&["put-item", "--table-name=locks", r#"--item={"id":{"S":"a"},"expires":{"N":"17"}}"#]);
    let got =
        cli(&["get-item", "--table-name=locks", "--consistent-read", r#"--key={"id":{"S":"a"}}"#]);
    let got: serde_json::Value = serde_json::from_str(&got).unwrap();
    assert_eq!(got["Item"]["expires"]["N"], "17");
}
