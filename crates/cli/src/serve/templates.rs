//! `[templates.NAME]` of the file of `keygate serve`.

use keygate_service::Space;
use keygate_service::templates::Template;
use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::table::Table;

/// Parses the name of a template, which has the form of a name of a space.
pub fn name(text: &str) -> Result<String, String> {
    let name = Space::parse(text).map_err(str::to_owned)?;
    Ok(name.as_str().to_owned())
}

/// Reads a table; `None` if something in it is wrong.
pub fn template(table: &mut Table<'_>) -> Option<Template> {
    let mut fields = Map::new();
    let mut is_read = true;
    for name in Template::fields() {
        if table.has(name) {
            let value = table.read(name, json);
            is_read &= value.is_some();
            fields.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    match Template::new(&fields) {
        Ok(template) => is_read.then_some(template),
        Err(errors) => {
            for (place, told) in errors.places() {
                let name = place.split(['[', '.']).next().unwrap_or(&place);
                table.wrong_at(name, &place, told);
            }
            None
        }
    }
}

/// The value of a field of the API.
fn json(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(is_true) => Value::from(*is_true),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Value::from(parsed.map_err(|_| "must not contain a number beyond 64 bits")?)
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse().ok().and_then(Number::from_f64);
            Value::from(parsed.ok_or("must not contain a number that JSON has not")?)
        }
        DeValue::Array(items) => {
            let items = items.iter().map(|item| json(item.get_ref()));
            Value::from(items.collect::<Result<Vec<_>, _>>()?)
        }
        DeValue::Table(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| Ok((name.get_ref().to_string(), json(value.get_ref())?)));
            Value::from(entries.collect::<Result<Map<_, _>, String>>()?)
        }
        DeValue::Datetime(_) => {
            return Err("must not contain a date without quotes".to_owned());
        }
    })
}
