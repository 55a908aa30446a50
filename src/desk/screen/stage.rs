//! What is on the screen: a form, a list, a bill, a payment or a sheet. Each knows its own keys and nothing of the database.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rust_decimal::Decimal;
use serde_json::Value;

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    Nothing,
    /// It is filled in or chosen.
    Done,
    Back,
}

/// One line that is typed into.
#[derive(Debug, Clone)]
pub struct Field {
    pub label: String,
    pub key: &'static str,
    pub text: String,
    pub masked: bool,
}

impl Field {
    pub fn new(key: &'static str, label: impl Into<String>) -> Field {
        Field { label: label.into(), key, text: String::new(), masked: false }
    }

    pub fn masked(mut self) -> Field {
        self.masked = true;
        self
    }

    pub fn filled(mut self, text: impl Into<String>) -> Field {
        self.text = text.into();
        self
    }
}

#[derive(Debug, Clone)]
pub struct Form {
    pub title: String,
    pub note: String,
    pub fields: Vec<Field>,
    pub at: usize,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub cells: Vec<String>,
    /// What typing finds it by, beside its cells: initials, codes.
    pub find: String,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub struct List {
    pub title: String,
    pub head: Vec<String>,
    pub rows: Vec<Row>,
    pub at: usize,
    pub filter: String,
}

/// A line of a bill: a doctor's order, or an item that the cashier added.
#[derive(Debug, Clone)]
pub struct Due {
    pub cells: Vec<String>,
    pub order: Option<i64>,
    pub item: Option<(String, String)>,
    pub on: bool,
}

#[derive(Debug, Clone)]
pub struct Bill {
    pub title: String,
    pub dues: Vec<Due>,
    pub at: usize,
    pub input: String,
}

#[derive(Debug, Clone)]
pub struct Method {
    pub code: String,
    pub name: String,
    pub wants_reference: bool,
}

/// One of several payments.
#[derive(Debug, Clone)]
pub struct Part {
    pub method: Method,
    pub amount: Decimal,
    pub reference: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Pay {
    pub title: String,
    pub due: String,
    pub methods: Vec<Method>,
    pub method: usize,
    /// Cash given, or the number of the payment; of a part, its amount and after a slash its number.
    pub text: String,
    /// What was paid in parts so far; the last payment takes the rest.
    pub parts: Vec<Part>,
    /// Of an insured patient: the card is left and everything owed.
    pub card_left: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct Sheet {
    pub title: String,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum Stage {
    Form(Form),
    List(List),
    Bill(Bill),
    Pay(Pay),
    Sheet(Sheet),
}

impl Stage {
    pub fn key(&mut self, key: KeyEvent) -> Did {
        if key.code == KeyCode::Esc {
            return Did::Back;
        }
        match self {
            Stage::Form(form) => form.key(key),
            Stage::List(list) => list.key(key),
            Stage::Bill(bill) => bill.key(key),
            Stage::Pay(pay) => pay.key(key),
            Stage::Sheet(_) if key.code == KeyCode::Enter => Did::Done,
            Stage::Sheet(_) => Did::Nothing,
        }
    }
}

/// Typing into a text; true when the key was a part of it. Full-width digits and letters are taken as the plain ones.
fn type_into(text: &mut String, key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => text.clear(),
        KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => text.push(match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            other => other,
        }),
        KeyCode::Backspace => {
            text.pop();
        }
        _ => return false,
    }
    true
}

impl Form {
    pub fn new(title: impl Into<String>, fields: Vec<Field>) -> Form {
        // What is filled in already is passed over.
        let at = fields.iter().position(|f| f.text.is_empty()).unwrap_or(0);
        Form { title: title.into(), note: String::new(), fields, at }
    }

    pub fn note(mut self, note: impl Into<String>) -> Form {
        self.note = note.into();
        self
    }

    pub fn text(&self, key: &str) -> &str {
        self.fields.iter().find(|f| f.key == key).map_or("", |f| f.text.trim())
    }

    fn key(&mut self, key: KeyEvent) -> Did {
        let last = self.fields.len() - 1;
        match key.code {
            KeyCode::Enter if self.at == last => return Did::Done,
            KeyCode::Enter | KeyCode::Tab | KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::BackTab | KeyCode::Up => self.at = self.at.saturating_sub(1),
            _ => {
                type_into(&mut self.fields[self.at].text, key);
            }
        }
        Did::Nothing
    }
}

impl List {
    pub fn new(title: impl Into<String>, head: &[&str], rows: Vec<Row>) -> List {
        let head = head.iter().map(|h| (*h).to_owned()).collect();
        List { title: title.into(), head, rows, at: 0, filter: String::new() }
    }

    /// The rows that what was typed leaves.
    pub fn shown(&self) -> Vec<&Row> {
        let wanted = self.filter.trim().to_uppercase();
        let fits = |text: &str| text.to_uppercase().split(' ').any(|word| word.starts_with(&wanted));
        self.rows.iter().filter(|r| wanted.is_empty() || fits(&r.find) || r.cells.iter().any(|c| fits(c))).collect()
    }

    pub fn chosen(&self) -> Option<&Row> {
        self.shown().get(self.at).copied()
    }

    fn key(&mut self, key: KeyEvent) -> Did {
        let last = self.shown().len().saturating_sub(1);
        match key.code {
            KeyCode::Enter => return if self.chosen().is_some() { Did::Done } else { Did::Nothing },
            KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::PageDown => self.at = (self.at + 10).min(last),
            KeyCode::PageUp => self.at = self.at.saturating_sub(10),
            _ => {
                if type_into(&mut self.filter, key) {
                    self.at = 0;
                }
            }
        }
        Did::Nothing
    }
}

impl Bill {
    /// Enter with something typed looks it up; with nothing typed it goes on to the payment.
    fn key(&mut self, key: KeyEvent) -> Did {
        let last = self.dues.len().saturating_sub(1);
        match key.code {
            KeyCode::Enter | KeyCode::F(8) => return Did::Done,
            KeyCode::Down => self.at = (self.at + 1).min(last),
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Char(' ') if self.input.is_empty() => {
                if let Some(due) = self.dues.get_mut(self.at) {
                    due.on = !due.on;
                }
            }
            _ => {
                type_into(&mut self.input, key);
            }
        }
        Did::Nothing
    }
}

impl Pay {
    fn key(&mut self, key: KeyEvent) -> Did {
        match key.code {
            KeyCode::Enter => return Did::Done,
            KeyCode::Tab | KeyCode::Down => {
                self.method = (self.method + 1) % self.methods.len().max(1);
                self.text.clear();
            }
            KeyCode::BackTab | KeyCode::Up => {
                self.method = (self.method + self.methods.len().max(1) - 1) % self.methods.len().max(1);
                self.text.clear();
            }
            KeyCode::F(4) => self.card_left = self.card_left.map(|left| !left),
            KeyCode::F(8) => self.part(),
            _ => {
                type_into(&mut self.text, key);
            }
        }
        Did::Nothing
    }

    /// Takes what was typed as a part: an amount, and after a slash the number of the payment where it wants one. What is no
    /// such thing stays as it was typed.
    fn part(&mut self) {
        let (amount, reference) = match self.text.trim().split_once('/') {
            Some((amount, reference)) => (amount, Some(reference.to_owned())),
            None => (self.text.trim(), None),
        };
        let (Ok(amount), Some(method)) = (amount.parse::<Decimal>(), self.chosen().cloned()) else { return };
        if method.wants_reference == reference.is_some() && amount > Decimal::ZERO {
            self.parts.push(Part { method, amount, reference });
            self.text.clear();
        }
    }

    pub fn chosen(&self) -> Option<&Method> {
        self.methods.get(self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn full_width_digits_are_taken_as_digits() {
        let mut text = String::new();
        for c in "12.5".chars() {
            type_into(&mut text, press(KeyCode::Char(c)));
        }
        assert_eq!(text, "12.5");
    }

    #[test]
    fn a_list_is_narrowed_by_initials_and_by_what_is_seen() {
        let row = |cells: &[&str], find: &str| Row {
            cells: cells.iter().map(|c| (*c).to_owned()).collect(),
            find: find.to_owned(),
            value: Value::Null,
        };
        let mut list = List::new("", &[], vec![row(&["心内科", "张三"], "XNK ZS"), row(&["产科", "李四"], "CK LS")]);
        for c in "ls".chars() {
            list.key(press(KeyCode::Char(c)));
        }
        assert_eq!(list.shown().len(), 1);
        assert_eq!(list.chosen().map(|r| r.cells[0].as_str()), Some("产科"));
        assert_eq!(list.key(press(KeyCode::Enter)), Did::Done);
    }
}
