//! What is wrong with a value of a keyed slip, in both languages. No reason quotes the value: it may be a name.

use crate::paper::number::Wrong;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    Missing,
    Number(Wrong),
    OtherKind,
    /// The same number stands on an earlier line as well.
    Duplicate(usize),
    /// It says something else than the first line of the slip.
    Differs,
    NoLines,
    EmptyLine,
    NoAmount,
    Decimals(u32),
    NoWhole,
    NoDate,
    NoTime,
    NoDateTime,
    Future,
    NoIdNo,
    IdCheck,
    NoYesNo,
    NotAllowed,
    /// A spreadsheet has turned a long number into a rounded one.
    Mangled,
    Formula,
    /// What the lines come to.
    Sum(String),
    Product(String),
}

impl Reason {
    #[must_use]
    pub fn text(&self, language: &str) -> String {
        let (zh, en) = self.both();
        if language == "en" { en } else { zh }
    }

    fn both(&self) -> (String, String) {
        let (zh, en) = match self {
            Reason::Missing => ("必填，未填写", "missing"),
            Reason::Number(Wrong::Series) => ("不是本院的应急单号", "not a slip number of this site"),
            Reason::Number(Wrong::Form) => ("单号格式不对", "not written as a slip number is"),
            Reason::Number(Wrong::Check) => (
                "单号校验位不符：有一位录错，或两位颠倒",
                "check digits do not fit: a digit is wrong, or two changed places",
            ),
            Reason::OtherKind => ("不是这个文件的单据种类", "a slip of another kind than this file's"),
            Reason::Duplicate(line) => {
                return (format!("单号重复，第 {line} 行已有"), format!("the same number as on line {line}"));
            }
            Reason::Differs => ("与该单第一行所填不同", "not what the first line of the slip says"),
            Reason::NoLines => ("没有明细行", "the slip has no lines"),
            Reason::EmptyLine => ("明细行为空", "a line with nothing in it"),
            Reason::NoAmount => ("不是金额或数量", "not a number"),
            Reason::Decimals(most) => {
                return (format!("小数超过 {most} 位"), format!("more than {most} decimals"));
            }
            Reason::NoWhole => ("不是整数", "not a whole number"),
            Reason::NoDate => ("不是有效日期", "not a date that exists"),
            Reason::NoTime => ("不是有效时间", "not a time of day"),
            Reason::NoDateTime => ("不是有效的日期和时间", "not a date and time that exist"),
            Reason::Future => ("时间在将来", "lies in the future"),
            Reason::NoIdNo => ("不是 18 位身份证号", "not an identity number of 18 characters"),
            Reason::IdCheck => ("身份证号校验位不符", "the check character of the identity number does not fit"),
            Reason::NoYesNo => ("应填是或否", "neither yes nor no"),
            Reason::NotAllowed => ("不在可填的值之内", "not one of the values that may be written"),
            Reason::Mangled => (
                "长号码被电子表格改成了近似数，请按原单重录为文本",
                "a spreadsheet has rounded this long number; key it again as text",
            ),
            Reason::Formula => ("单元格是公式", "a formula"),
            Reason::Sum(sum) => {
                return (format!("与明细合计 {sum} 不符"), format!("the lines come to {sum}"));
            }
            Reason::Product(product) => {
                return (format!("与单价、数量之积 {product} 不符"), format!("price and quantity come to {product}"));
            }
        };
        (zh.to_owned(), en.to_owned())
    }
}
