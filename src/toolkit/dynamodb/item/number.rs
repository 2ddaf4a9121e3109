//! Numbers as DynamoDB holds them: 38 decimal digits, exactly, from 1E-130 to 9.9…E+125
//! ("Naming rules and data types" of its developer guide).

const MOST_DIGITS: usize = 38;
/// The exponent of the first digit.
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;

/// A number of which equal ones are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Number {
    is_negative: bool,
    /// Without zeros at either end; none for zero.
    digits: String,
    /// The power of ten that the first digit stands for.
    exponent: i64,
}

impl Number {
    /// # Errors
    /// Says why DynamoDB could not keep it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        // Never the number itself: a body's words do not belong into a log.
        let wrong = || "it is no number".to_owned();
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, power) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let power: i64 = power.parse::<i32>().map_err(|_| wrong())?.into();
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let digits = all.trim_start_matches('0');
        let leading = length(&all) - length(digits);
        let digits = digits.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Ok(Self { is_negative: false, digits, exponent: 0 });
        }
        if digits.len() > MOST_DIGITS {
            let count = digits.len();
            return Err(format!("its number has {count} digits, DynamoDB keeps 38"));
        }
        let exponent = length(whole) - leading - 1 + power;
        if !EXPONENTS.contains(&exponent) {
            return Err("its number is out of DynamoDB's range".to_owned());
        }
        Ok(Self { is_negative: text.starts_with('-'), digits, exponent })
    }

    /// As DynamoDB counts the size of an item: two digits to a byte.
    pub(super) fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.is_negative)
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        let same = [
            ["1", "1.0"],
            ["100", "1E+2"],
            ["-0.0", "0"],
            ["0.00120", "12e-4"],
            [
                "123456789012345678901234567890.12345678",
                "12345678901234567890123456789012345678E-8",
            ],
        ];
        for [left, right] in same {
            assert_eq!(Number::read(left).unwrap(), Number::read(right).unwrap());
        }
        for other in ["2", "-1", "10", "0.1", "1.00000000000000000000000000000000000001"] {
            assert!(
                Number::read(other).is_err()
                    || Number::read(other).unwrap() != Number::read("1").unwrap()
            );
        }
    }

    #[test]
    fn what_dynamodb_cannot_keep_is_refused() {
        for text in ["", "-", "1.2.3", "NaN", "inf", "0x1", "1e", "１", "1e99999999999"] {
            assert!(Number::read(text).unwrap_err().contains("is no number"), "{text}");
        }
        let digits = "1".repeat(39);
        assert!(Number::read(&digits).unwrap_err().contains("has 39 digits"));
        Number::read(&"1".repeat(38)).unwrap();
        Number::read(&format!("{}000000", "1".repeat(38))).unwrap();
        for text in ["1e126", "1e-131", "0.1e-130", "10E125"] {
            assert!(Number::read(text).unwrap_err().contains("range"), "{text}");
        }
        for text in ["9.9e125", "1e-130", "0.1e126", "-10e-131"] {
            Number::read(text).unwrap();
        }
    }
}
