//! `docs/audit.schema.json` describes what `audit.json` holds.

use modescope::audit::findings::Findings;
use serde_json::Value;

/// The shipped schema is the one that the types give. `UPDATE_SCHEMA=1` writes it anew.
#[test]
fn the_shipped_schema_is_that_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.schema.json");
    let made = serde_json::to_string_pretty(&Findings::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap();
    let [shipped, made]: [Value; 2] =
        [&shipped, &made].map(|text| serde_json::from_str(text).unwrap());
    assert!(shipped == made, "run UPDATE_SCHEMA=1 cargo test --test audit_schema");
}
