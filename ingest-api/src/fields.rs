//! Looks at a body's fields and collects everything that is wrong with them, each with its
//! pointer. A value is given only if it is right; `finish` gives the body only if all are.
//!
//! A field that is null is a field that is absent. Unknown names, and names given twice, are
//! errors of their own.

use crate::currencies;
use crate::json::Json;
use edge::path_id::CALLERS_ID;
use edge::problem::{FieldError, Problem, escaped};
use schemas::id::Id;
use schemas::money::Currency;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// So many errors are worth naming; a body may hold thousands.
const ERRORS_MAX: usize = 100;

/// All that is wrong so far.
#[derive(Default)]
pub(crate) struct Errors(RefCell<Vec<FieldError>>);

impl Errors {
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        let errors = self.0.into_inner();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            Some(_) | None => Err(Problem::invalid(errors)),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'j, 't> {
    json: &'j Json<'t>,
    path: Path<'j>,
    errors: &'j Errors,
}

/// The way from the body to a value.
#[derive(Clone, Copy)]
enum Path<'p> {
    Body,
    Field(&'p Path<'p>, &'p str),
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Body => {}
            Self::Field(parent, name) => {
                parent.write(out);
                out.push('/');
                out.push_str(&escaped(name));
            }
            Self::Element(parent, index) => {
                parent.write(out);
                // Writing to a String cannot fail.
                let _ = write!(out, "/{index}");
            }
        }
    }
}

impl<'j, 't> Place<'j, 't> {
    /// The whole body.
    pub(crate) fn body(json: &'j Json<'t>, errors: &'j Errors) -> Self {
        Self { json, path: Path::Body, errors }
    }

    /// Notes what is wrong here.
    pub(crate) fn refuse<T>(self, detail: impl Into<String>) -> Option<T> {
        let mut errors = self.errors.0.borrow_mut();
        if errors.len() < ERRORS_MAX {
            let mut pointer = String::new();
            self.path.write(&mut pointer);
            errors.push(FieldError { pointer, detail: detail.into() });
        }
        None
    }

    /// An object with these fields and no others.
    pub(crate) fn object<T>(
        self,
        known: &[&str],
        read: impl FnOnce(&Fields<'_, 't>) -> Option<T>,
    ) -> Option<T> {
        let Json::Object(fields) = self.json else { return self.refuse("must be an object") };
        for (index, (name, _)) in fields.iter().enumerate() {
            let path = Path::Field(&self.path, name);
            if !known.contains(&&**name) {
                Place { path, ..self }.refuse::<()>("is not a field of this request");
            // Only known names are compared with what stands before them, and of these there are
            // few before one stands twice: no body makes this slow.
            } else if fields[..index].iter().take(known.len()).any(|(other, _)| other == name) {
                Place { path, ..self }.refuse::<()>("is given twice");
            }
        }
        read(&Fields { fields, place: self })
    }

    /// A list of `length` elements.
    pub(crate) fn list<T>(
        self,
        length: RangeInclusive<usize>,
        element: impl Fn(Place<'_, 't>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Json::List(list) = self.json else { return self.refuse("must be a list") };
        if !length.contains(&list.len()) {
            return self.refuse(range("elements", &length));
        }
        let mut read = Vec::with_capacity(list.len());
        for (index, json) in list.iter().enumerate() {
            let path = Path::Element(&self.path, index);
            read.extend(element(Place { json, path, errors: self.errors }));
        }
        (read.len() == list.len()).then_some(read)
    }

    /// An object of at most `max` texts by name.
    pub(crate) fn texts<C: FromIterator<(String, String)>>(
        self,
        max: usize,
        characters_max: usize,
    ) -> Option<C> {
        let Json::Object(fields) = self.json else { return self.refuse("must be an object") };
        if fields.len() > max {
            return self.refuse(format!("must have at most {max} fields"));
        }
        let mut read = Vec::with_capacity(fields.len());
        for (index, (name, json)) in fields.iter().enumerate() {
            let path = Path::Field(&self.path, name);
            let place = Place { json, path, errors: self.errors };
            if fields[..index].iter().any(|(other, _)| other == name) {
                return place.refuse("is given twice");
            }
            if name.is_empty() || name.chars().count() > characters_max {
                return place
                    .refuse(format!("must have a name of 1 to {characters_max} characters"));
            }
            read.push((name.to_string(), place.text(0..=characters_max)?));
        }
        Some(read.into_iter().collect())
    }

    /// A whole number.
    pub(crate) fn whole<T: TryFrom<i128>>(self, range: RangeInclusive<i64>) -> Option<T> {
        let (min, max) = (range.start(), range.end());
        match self.json {
            Json::Whole(number) if (i128::from(*min)..=i128::from(*max)).contains(number) => {
                T::try_from(*number).ok()
            }
            Json::Whole(_) => self.refuse(format!("must be {min} to {max}")),
            Json::Fraction(_) => self.refuse(format!(
                "must be {min} to {max}, a whole number without a fraction or an exponent"
            )),
            Json::Null | Json::Bool(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
                self.refuse(format!("must be a number, {min} to {max}"))
            }
        }
    }

    /// A text as it stands.
    pub(crate) fn str(self) -> Option<&'j Cow<'t, str>> {
        match self.json {
            Json::Text(text) => Some(text),
            Json::Null
            | Json::Bool(_)
            | Json::Whole(_)
            | Json::Fraction(_)
            | Json::List(_)
            | Json::Object(_) => self.refuse("must be a text"),
        }
    }

    /// A text of so many characters.
    pub(crate) fn text(self, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.str()?;
        // Counting is skipped where the bytes alone show that it fits.
        let fits = length.contains(&text.len()) && text.is_ascii()
            || length.contains(&text.chars().count());
        if !fits {
            return self.refuse(range("characters", &length));
        }
        Some(text.to_string())
    }

    /// A caller's id.
    pub(crate) fn id(self) -> Option<Id> {
        Id::parse(self.str()?).or_else(|| self.refuse(CALLERS_ID))
    }

    /// A currency.
    pub(crate) fn currency(self) -> Option<Currency> {
        let must = "must be a currency of ISO 4217: three capital letters";
        currencies::known(self.str()?).or_else(|| self.refuse(must))
    }

    /// The value as it is.
    pub(crate) fn json(self) -> &'j Json<'t> {
        self.json
    }
}

fn range(what: &str, length: &RangeInclusive<usize>) -> String {
    format!("must have {} to {} {what}", length.start(), length.end())
}

/// The fields of an object.
pub(crate) struct Fields<'j, 't> {
    fields: &'j [(Cow<'t, str>, Json<'t>)],
    place: Place<'j, 't>,
}

impl<'t> Fields<'_, 't> {
    /// A field that must be there.
    pub(crate) fn required<'s, T>(
        &'s self,
        name: &'s str,
        read: impl FnOnce(Place<'s, 't>) -> Option<T>,
    ) -> Option<T> {
        match self.find(name) {
            Some(json) => read(self.at(name, json)),
            None => self.at(name, &Json::Null).refuse("is required"),
        }
    }

    /// A field that may be absent or null. `None` is an error, `Some(None)` is absence.
    #[expect(clippy::option_option, reason = "wrong and absent are two things")]
    pub(crate) fn optional<'s, T>(
        &'s self,
        name: &'s str,
        read: impl FnOnce(Place<'s, 't>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find(name) {
            Some(json) => read(self.at(name, json)).map(Some),
            None => Some(None),
        }
    }

    fn find(&self, name: &str) -> Option<&Json<'t>> {
        let (_, json) = self.fields.iter().find(|(other, _)| other == name)?;
        (*json != Json::Null).then_some(json)
    }

    fn at<'p>(&'p self, name: &'p str, json: &'p Json<'t>) -> Place<'p, 't> {
        Place { json, path: Path::Field(&self.place.path, name), errors: self.place.errors }
    }
}
