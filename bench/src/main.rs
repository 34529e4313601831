//! What a decision costs beside what one could take in Keygate's place, on this machine:
//! one run, a table, `target/bench/edge.json` and a chart. `make bench` builds what it needs
//! and starts it; docs/performance.md says what is measured, and how. With the argument
//! `growth` (`make bench-growth`): how the key service and the cache bear many keys; with
//! `rejections` (`make bench-rejections`): the cost of a rejection, within bounds; with `scale`
//! (`make bench-scale`): what docs/scale.md says of a large fleet; with `service`
//! (`make bench-service`): the key service under load, within bounds; with `compare` and paths of
//! modules: what one build of the filter costs beside another.

mod chart;
mod compare;
mod cpu;
mod credentials;
mod growth;
mod load;
mod machine;
mod measure;
mod rejections;
mod report;
mod scale;
mod service;
mod statistics;
mod subject;
mod variant;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use keygate_tests::repository;
use serde_json::Value;

use cpu::Cores;
use measure::Plan;
use variant::{Ground, PLAIN, Variant};

fn main() -> Result<(), Box<dyn Error>> {
    let plan = Plan::from_environment()?;
    fs::create_dir_all(target())?;
    match std::env::args().nth(1).as_deref() {
        None => edge(plan, Cores::choose()),
        Some("rejections") => rejections(&plan, Cores::choose()),
        Some("growth") => growth(plan, Cores::choose()),
        Some("scale") => scale(plan, Cores::shared()),
        Some("service") => service(&plan),
        Some("compare") => compare(&plan, Cores::choose()),
        Some(other) => Err(format!(
            "unknown argument {other}: `growth`, `rejections`, `scale`, `service`, `compare`, or none"
        )
        .into()),
    }
}

fn edge(plan: Plan, cores: Cores) -> Result<(), Box<dyn Error>> {
    let ground = Ground::start(cores);
    let mut variants = ground.variants();
    if let Some(names) = &plan.only {
        let is_asked_for = |it: &Variant| names.iter().any(|name| name == it.name);
        // And what they are compared with.
        let kin: Vec<_> = variants
            .iter()
            .filter(|it| is_asked_for(it))
            .map(|it| it.kin)
            .collect();
        let is_needed = |it: &Variant| it.name == PLAIN || kin.contains(&Some(it.name));
        variants.retain(|it| is_needed(it) || is_asked_for(it));
    }
    let results = measure::all(&ground, &variants, &plan, cores);
    drop(variants);
    let json = report::json(&results, &machine::describe(cores), &plan);
    let chart = chart::draw(&json);
    fs::write(target().join("edge.json"), format!("{json:#}\n"))?;
    fs::write(target().join("performance.svg"), &chart)?;
    publish("edge", &report::table(&json), &plan)?;
    if plan.is_whole() {
        fs::write(repository().join("docs/performance.svg"), &chart)?;
    }
    Ok(())
}

/// Prints the cost of rejections. An error names the cases that cost more than their bound.
fn rejections(plan: &Plan, cores: Cores) -> Result<(), Box<dyn Error>> {
    let mut json = machine::describe(cores);
    json["rejections"] = rejections::run(cores, plan);
    fs::write(target().join("rejections.json"), format!("{json:#}\n"))?;
    println!("{}", report::machine(&json));
    println!("{}", rejections::table(&json["rejections"]));
    match rejections::missed(&json["rejections"]) {
        missed if missed.is_empty() => Ok(()),
        missed => Err(format!("beyond their bounds: {}", missed.join(", ")).into()),
    }
}

/// Prints how the key service bears load. An error names the rows that miss their bounds.
fn service(plan: &Plan) -> Result<(), Box<dyn Error>> {
    let mut json = machine::describe(Cores::shared());
    json["service"] = service::run(&target(), plan.rounds.min(9), plan.is_whole())?;
    fs::write(target().join("service.json"), format!("{json:#}\n"))?;
    println!("{}", report::machine(&json));
    println!("{}", service::table(&json["service"]));
    match service::missed(&json["service"]) {
        missed if missed.is_empty() => Ok(()),
        missed => Err(format!("beyond their bounds: {}", missed.join(", ")).into()),
    }
}

/// Prints what each of the modules costs that the arguments name.
fn compare(plan: &Plan, cores: Cores) -> Result<(), Box<dyn Error>> {
    let modules: Vec<PathBuf> = std::env::args_os().skip(2).map(PathBuf::from).collect();
    if modules.is_empty() {
        return Err("compare needs the paths of modules".into());
    }
    let mut json = machine::describe(cores);
    json["compare"] = compare::run(&modules, cores, plan);
    fs::write(target().join("compare.json"), format!("{json:#}\n"))?;
    println!("{}", report::machine(&json));
    println!("{}", compare::table(&modules, &json["compare"]));
    Ok(())
}

fn growth(plan: Plan, cores: Cores) -> Result<(), Box<dyn Error>> {
    let mut json = machine::describe(cores);
    json["growth"] = growth::run(cores, &plan)?;
    fs::write(target().join("growth.json"), format!("{json:#}\n"))?;
    let table = format!(
        "{}\n{}",
        report::machine(&json),
        growth::table(&json["growth"])
    );
    publish("growth", &table, &plan)
}

fn scale(plan: Plan, cores: Cores) -> Result<(), Box<dyn Error>> {
    let mut json = machine::describe(cores);
    let is_whole = plan.is_whole();
    json["rounds"] = plan.rounds.into();
    json["scale"] = scale::run(plan.rounds, is_whole)?;
    fs::write(target().join("scale.json"), format!("{json:#}\n"))?;
    scale_page(&json, is_whole)
}

/// The tables of `scale.json`, and in the page if the run was long enough.
fn scale_page(json: &Value, is_whole: bool) -> Result<(), Box<dyn Error>> {
    let measured = format!("{}\n{}", report::machine(json), scale::measured(json));
    publish_in("docs/scale.md", "measured", &measured, is_whole)?;
    publish_in("docs/scale.md", "derived", &scale::derived(json), is_whole)
}

fn target() -> PathBuf {
    repository().join("target/bench")
}

/// Prints a table, and writes it into the page if the run was long enough.
fn publish(name: &str, table: &str, plan: &Plan) -> Result<(), Box<dyn Error>> {
    publish_in("docs/performance.md", name, table, plan.is_whole())
}

fn publish_in(page: &str, name: &str, table: &str, is_whole: bool) -> Result<(), Box<dyn Error>> {
    println!("{table}");
    if !is_whole {
        println!("A short run: docs/ stays as it is. The figures are in target/bench/.");
        return Ok(());
    }
    let file = repository().join(page);
    let text = fs::read_to_string(&file)?;
    let text = report::between_markers(&text, name, table)
        .map_err(|problem| format!("{page}: {problem}"))?;
    fs::write(&file, text)?;
    println!("Written: {page}; the figures are in target/bench/.");
    Ok(())
}
