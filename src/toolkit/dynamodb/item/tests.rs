use serde::Deserialize;
use serde_json::json;

use super::*;

#[test]
fn no_digit_of_a_number_is_lost() {
    let text = r#"{"big":12345678901234567890123456789012345678,"deep":[{"price":0.10}],"id":9007199254740993,"small":2.3456789e-11}"#;
    let item = Item::from_json(text).unwrap();
    assert_eq!(item.json(), text);
    let number = AttributeValue::N("9007199254740993".to_owned());
    assert_eq!(item.get("id"), Some(&number));
    let again = Item::from_json(&item.typed_json()).unwrap();
    assert_eq!((&again, again.json().as_str()), (&item, text));
}

#[test]
fn what_dynamodb_would_round_or_refuse_is_told() {
    let refused = |text: &str| Item::from_json(text).unwrap_err().to_string();
    let digits = "1".repeat(40);
    assert!(
        refused(&format!(r#"{{"price":{digits}}}"#))
            .contains(r#""price": its number has 40 digits"#)
    );
    assert!(refused(r#"{"id":1e400}"#).contains("out of DynamoDB's range"));
    for text in ["", "[]", "7", "\"x\"", "{", "{\"a\":}", "{} {}"] {
        assert!(refused(text).contains("no JSON object"), "{text}");
    }
    assert!(refused(r#"{"":1}"#).contains("without a name"));
    assert!(refused(r#"{"id":{"SS":[]}}"#).contains("a set must not be empty"));
    assert!(refused(r#"{"id":{"NS":["1","1.0"]}}"#).contains("twice"));
    assert!(refused(r#"{"id":{"B":"?"}}"#).contains("no base64"));
    let deep = format!(r#"{{"id":1,"deep":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    assert!(refused(&deep).contains("32 deep"));
    let wide = json!({ "id": "x", "text": "y".repeat(MOST_BYTES) }).to_item().unwrap_err();
    assert!(wide.to_string().contains("an item of 409607 bytes: DynamoDB takes at most 409600"));
    assert!(json!({ "id": [1] }).to_item().is_ok() && json!([1]).to_item().is_err());
}

#[test]
fn the_form_with_types_is_taken_for_what_it_is() {
    let typed = r#"{"at":{"N":"7"},"b":{"B":"AAH/"},"bs":{"BS":["AA=="]},"id":{"S":"a"},"l":{"L":[{"NULL":true},{"BOOL":false}]},"m":{"M":{"S":{"S":"x"}}},"ns":{"NS":["1","2"]},"ss":{"SS":["p","q"]}}"#;
    let item = Item::from_json(typed).unwrap();
    assert_eq!(item.typed_json(), typed);
    assert_eq!(item.get("b"), Some(&Value::from(&b"\x00\x01\xff"[..]).0));
    assert_eq!(
        item.json(),
        r#"{"at":7,"b":"AAH/","bs":["AA=="],"id":"a","l":[null,false],"m":{"S":"x"},"ns":[1,2],"ss":["p","q"]}"#
    );
    // A key is never an object, so this is plain.
    let plain = Item::from_json(r#"{"id":"a","m":{"S":"x"}}"#).unwrap();
    assert!(plain.get("m").unwrap().is_m());
}

#[test]
fn anything_of_serde_becomes_an_item_and_comes_back() {
    #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
    struct Order {
        id: u64,
        price: f64,
        tags: Vec<String>,
        note: Option<String>,
    }
    let order =
        Order { id: u64::MAX, price: 2.345_678_9e-11, tags: vec!["new".into()], note: None };
    let item = order.to_item().unwrap();
    assert_eq!(item.get("id"), Some(&Value::from(u64::MAX).0));
    assert_eq!(item.to::<Order>().unwrap(), order);
    assert!(item.to::<Vec<u8>>().is_err());
    assert!(json!({ "id": f64::MAX }).to_item().unwrap_err().to_string().contains("range"));
}

#[test]
fn equal_is_what_dynamodb_holds_equal() {
    let one = Item::from_json(r#"{"id":{"N":"1.0"},"s":{"SS":["a","b"]}}"#).unwrap();
    let other = Item::from_json(r#"{"s":{"SS":["b","a"]},"id":{"N":"1"}}"#).unwrap();
    assert_eq!(one, other);
    assert_ne!(one, other.clone().with("id", "1"));
    assert_ne!(one, other.with("more", true));
}

#[test]
fn the_size_is_counted_as_dynamodb_does() {
    // Names and values in UTF-8; two digits a byte and one more; 3 for a list, 1 for each in it.
    assert_eq!(Item::new().with("id", "é").size(), 4);
    assert_eq!(Item::new().with("n", 12345).size(), 1 + 4);
    assert_eq!(Item::from_json(r#"{"id":1,"l":["ab",null]}"#).unwrap().size(), 4 + (1 + 3 + 3 + 2));
}
