//! Numbers as DynamoDB holds them: 38 decimal digits, exactly, from 1E-130 to 9.9…E+125.

use std::cmp::Ordering;
use std::fmt;
use std::iter::repeat_n;

use super::refusal::Refusal;

/// ±0.DIGITS × 10^exponent, without leading or trailing zeros, so that equal numbers look equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Number {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

const MOST_DIGITS: usize = 38;
const LARGEST: i64 = 126;
const SMALLEST: i64 = -129;

fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

fn zeros(count: i64) -> impl Iterator<Item = u8> {
    repeat_n(0, usize::try_from(count).unwrap_or(0))
}

impl Number {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = || {
            Refusal::validation(format!(
                "The parameter cannot be converted to a numeric value: {text}"
            ))
        };
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().map_err(|_| wrong())?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(wrong());
        }
        let digit = |byte: u8| byte.is_ascii_digit().then(|| byte - b'0');
        let digits: Option<Vec<u8>> = whole.bytes().chain(fraction.bytes()).map(digit).collect();
        let exponent = length(whole.as_bytes()) + i64::from(power);
        Self::normal(text.starts_with('-'), digits.ok_or_else(wrong)?, exponent)
    }

    fn normal(negative: bool, digits: Vec<u8>, exponent: i64) -> Result<Self, Refusal> {
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        let mut digits: Vec<u8> = digits.into_iter().skip(leading).collect();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Ok(Self { negative: false, digits, exponent: 0 });
        }
        let exponent = exponent - i64::try_from(leading).unwrap_or(i64::MAX);
        let refuse = |text: &str| Err(Refusal::validation(text));
        if exponent > LARGEST {
            return refuse(
                "Number overflow. Attempting to store a number with magnitude larger than \
                 supported range",
            );
        }
        if exponent < SMALLEST {
            return refuse(
                "Number underflow. Attempting to store a number with magnitude smaller than \
                 supported range",
            );
        }
        if digits.len() > MOST_DIGITS {
            return refuse("Attempting to store more than 38 significant digits in a Number");
        }
        Ok(Self { negative, digits, exponent })
    }

    pub(crate) fn plus(&self, other: &Self) -> Result<Self, Refusal> {
        let top = self.exponent.max(other.exponent);
        let last = |number: &Self| number.exponent - length(&number.digits);
        let bottom = last(self).min(last(other));
        let (left, right) = (self.spread(top, bottom), other.spread(top, bottom));
        if self.negative == other.negative {
            return Self::normal(self.negative, sum(&left, &right), top + 1);
        }
        // The larger magnitude gives the sign.
        match left.cmp(&right) {
            Ordering::Less => Self::normal(other.negative, difference(&right, &left), top),
            Ordering::Equal | Ordering::Greater => {
                Self::normal(self.negative, difference(&left, &right), top)
            }
        }
    }

    pub(crate) fn minus(&self, other: &Self) -> Result<Self, Refusal> {
        let negative = !other.negative && !other.digits.is_empty();
        self.plus(&Self { negative, ..other.clone() })
    }

    /// A whole number of zero or more that fits.
    pub(crate) fn from_len(length: usize) -> Self {
        let digits: Vec<u8> = length.to_string().bytes().map(|byte| byte - b'0').collect();
        let exponent = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        Self::normal(false, digits, exponent).unwrap_or(Self {
            negative: false,
            digits: Vec::new(),
            exponent: 0,
        })
    }

    /// All digits from the place `top` down to the place `bottom`.
    fn spread(&self, top: i64, bottom: i64) -> Vec<u8> {
        let after = self.exponent - length(&self.digits) - bottom;
        zeros(top - self.exponent).chain(self.digits.iter().copied()).chain(zeros(after)).collect()
    }

    /// As DynamoDB counts the size of an item: two digits to a byte.
    pub(crate) fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.negative)
    }
}

/// One digit longer than what is added.
fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut digits = Vec::with_capacity(left.len() + 1);
    for (left, right) in left.iter().rev().zip(right.iter().rev()) {
        let digit = left + right + carry;
        digits.push(digit % 10);
        carry = digit / 10;
    }
    digits.push(carry);
    digits.reverse();
    digits
}

/// `larger` is not smaller, and both are of one length.
fn difference(larger: &[u8], smaller: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let mut digits = Vec::with_capacity(larger.len());
    for (larger, smaller) in larger.iter().rev().zip(smaller.iter().rev()) {
        let digit = larger + 10 - smaller - borrowed;
        digits.push(digit % 10);
        borrowed = u8::from(digit < 10);
    }
    digits.reverse();
    digits
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let magnitude =
            || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        sign(self)
            .cmp(&sign(other))
            .then_with(|| if self.negative { magnitude().reverse() } else { magnitude() })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Without an exponent, as DynamoDB gives numbers back.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let text = |digits: &mut dyn Iterator<Item = u8>| -> String {
            digits.map(|digit| char::from(b'0' + digit)).collect()
        };
        let point = usize::try_from(self.exponent).unwrap_or(0);
        let whole = text(&mut self.digits.iter().copied().take(point));
        let padding = text(&mut zeros(self.exponent - length(&self.digits)));
        let fraction =
            text(&mut zeros(-self.exponent)) + &text(&mut self.digits.iter().copied().skip(point));
        let sign = if self.negative { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { &whole };
        write!(f, "{sign}{whole}{padding}")?;
        if fraction.is_empty() || point >= self.digits.len() {
            return Ok(());
        }
        write!(f, ".{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn equal_numbers_are_written_alike() {
        for (written, held) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007", "7"),
            ("+1.50", "1.5"),
            ("-12e-3", "-0.012"),
            ("1E+20", "100000000000000000000"),
            (".5", "0.5"),
            ("10.05", "10.05"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ] {
            assert_eq!(number(written).to_string(), held, "{written}");
        }
    }

    #[test]
    fn what_is_no_number_or_too_much_of_one_is_refused() {
        for wrong in ["", "-", ".", "1.2.3", "1e", "abc", "1 ", "Infinity", "NaN", "--1"] {
            assert!(Number::parse(wrong).is_err(), "{wrong}");
        }
        for (wrong, told) in
            [("1E126", "overflow"), ("1E-131", "underflow"), (&"1".repeat(39), "38 significant")]
        {
            assert!(Number::parse(wrong).unwrap_err().message.contains(told), "{wrong}");
        }
        assert!(Number::parse("9.9E125").is_ok() && Number::parse("1E-130").is_ok());
    }

    #[test]
    fn order_and_sums_are_exact() {
        let ordered = ["-1E20", "-2", "-1.5", "0", "1E-130", "0.1", "2", "9007199254740992"];
        for pair in ordered.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        assert_ne!(number("9007199254740992"), number("9007199254740993"));
        for (left, right, sum) in [
            ("999", "1", "1000"),
            ("0.1", "0.2", "0.3"),
            ("5", "-5", "0"),
            ("3", "-5", "-2"),
            ("-3", "-5.25", "-8.25"),
            ("9007199254740992", "1", "9007199254740993"),
            ("0", "7", "7"),
        ] {
            assert_eq!(number(left).plus(&number(right)).unwrap(), number(sum), "{left} {right}");
            assert_eq!(number(sum).minus(&number(right)).unwrap(), number(left), "{sum} {right}");
        }
        assert_eq!(Number::from_len(120), number("120"));
    }
}
