use super::*;

#[test]
fn a_pointer_escapes_what_separates_its_steps() {
    let at = Pointer::from("a/b~c").item(3).inside("filter");
    assert_eq!(at.rfc_6901(), "/filter/a~1b~0c/3");
    assert_eq!(at.to_string(), "filter.a/b~c[3]");
    assert_eq!(Pointer::default().rfc_6901(), "");
}

#[test]
fn the_sentence_for_people_spells_out_three_errors() {
    let mut errors = Errors::default();
    errors.push(Wrong::required("a"));
    assert_eq!(errors.to_string(), "a: is required");
    for name in ["b", "c"] {
        errors.push(Wrong::required(name));
    }
    let three = "3 values are wrong: a: is required; b: is required; c: is required";
    assert_eq!(errors.to_string(), three);
    for at in 0..2 * MAX_ERRORS {
        errors.push(Wrong::duplicate(Pointer::from("d").item(at)));
    }
    assert_eq!(errors.shown().len(), MAX_ERRORS);
    let end = "c: is required; and 200 more";
    assert!(errors.to_string().ends_with(end), "{errors}");
}
