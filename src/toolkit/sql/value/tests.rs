use serde_json::json;

use super::*;

fn column(form: Form) -> Column {
    Column { name: "c".to_owned(), form, cast: String::new(), shown: "its type".to_owned() }
}

fn mysql(form: Form, value: Value) -> Result<Bound, String> {
    bound(Dialect::Mysql, &column(form), &value)
}

#[test]
fn whole_numbers_keep_all_64_bits() {
    assert_eq!(mysql(Form::Integer, json!(u64::MAX)), Ok(Bound::Unsigned(u64::MAX)));
    assert_eq!(mysql(Form::Integer, json!(i64::MIN)), Ok(Bound::Signed(i64::MIN)));
    assert_eq!(mysql(Form::Integer, json!("7")), Ok(Bound::Signed(7)));
    assert_eq!(mysql(Form::Integer, json!(7.0)), Ok(Bound::Signed(7)));
    assert_eq!(mysql(Form::Integer, json!(true)), Ok(Bound::Signed(1)));
    for wrong in [json!(1.5), json!("x"), json!(1e300), json!([1]), json!({})] {
        let told = mysql(Form::Integer, wrong).unwrap_err();
        assert!(told.starts_with("column \"c\" (its type) takes "), "{told}");
    }
    let cell = || Cell::Bytes(u64::MAX.to_string().into_bytes());
    let value = json(Dialect::Mysql, &column(Form::Integer), cell());
    assert_eq!(value, Ok(json!(u64::MAX)));
}

#[test]
fn what_mysql_would_take_for_something_else_is_refused() {
    for (form, value) in [
        (Form::Date, json!(20_260_131)),
        (Form::Moment, json!("soon")),
        (Form::Float { single: false }, json!("NaN")),
        (Form::Decimal, json!("1,5")),
        (Form::Binary, json!("not base64!")),
        (Form::Binary, json!(5)),
        (Form::Text, json!({"a": 1})),
    ] {
        assert!(mysql(form, value.clone()).is_err(), "{form:?} {value}");
    }
    assert_eq!(mysql(Form::Json, json!({"a": [1]})), Ok(Bound::Text("{\"a\":[1]}".to_owned())));
    assert_eq!(mysql(Form::Json, json!(null)), Ok(Bound::Null));
    assert_eq!(mysql(Form::Binary, json!("AP8=")), Ok(Bound::Bytes(vec![0, 255])));
}

#[test]
fn what_json_has_no_number_for_is_a_text() {
    let float = |text: &str| {
        let column = column(Form::Float { single: false });
        json(Dialect::Postgresql, &column, Cell::Bytes(text.as_bytes().to_vec()))
    };
    assert_eq!(float("0.1"), Ok(json!(0.1)));
    for text in ["NaN", "Infinity", "-Infinity"] {
        assert_eq!(float(text), Ok(json!(text)));
    }
    let cell = Cell::Bytes(b"{".to_vec());
    let wrong = json(Dialect::Postgresql, &column(Form::Json), cell).unwrap_err();
    assert!(wrong.contains("column \"c\" (its type)"), "{wrong}");
}
