//! The known name that is meant by a wrong one.

/// How alike two names must be, from 0 to 1; clap takes the same.
const LEAST: f64 = 0.7;

/// The end of a message about a wrong name: empty if it resembles no known one. Only a known name
/// is quoted.
pub fn did_you_mean<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let alike = known.into_iter().map(|it| (strsim::jaro(name, it), it));
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    match best {
        Some((likeness, best)) if likeness > LEAST => format!(": did you mean `{best}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_meant_if_it_is_alike() {
        let known = ["ttl", "max_lifetime", "secrets"];
        assert_eq!(
            did_you_mean("max_life_time", known),
            ": did you mean `max_lifetime`?"
        );
        assert_eq!(did_you_mean("extra", known), "");
        assert_eq!(did_you_mean("", []), "");
    }
}
