//! Removes from the output of wasm-bindgen what no page uses. Cargo can't: `server_fn` always brings in wasm-streams,
//! whose exported classes keep their code alive, although no server function here sends a stream.

use std::collections::HashSet;

use walrus::Module;

use crate::Result;

/// The classes of wasm-streams.
const CLASSES: [&str; 3] = ["IntoUnderlyingByteSource", "IntoUnderlyingSink", "IntoUnderlyingSource"];

/// Removes the exports of the classes from the module, and everything that only they use.
pub fn remove_exports(module: &mut Module) {
    let is_of_class = |name: &str| CLASSES.iter().any(|class| name.contains(&class.to_lowercase()));
    let unused: Vec<_> =
        module.exports.iter().filter(|export| is_of_class(&export.name)).map(walrus::Export::id).collect();
    for export in unused {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(module);
}

/// Removes from the glue the classes, the loader that waits, and the functions that the module no longer imports.
///
/// # Errors
/// When the glue isn't written as this version of wasm-bindgen writes it.
pub fn remove_glue(js: &str, module: &Module) -> Result<String> {
    let imports: HashSet<&str> = module.imports.iter().map(|import| import.name.as_str()).collect();
    let mut kept = String::with_capacity(js.len());
    let mut lines = js.lines();
    while let Some(line) = lines.next() {
        let name =
            line.strip_suffix(") {").and_then(|head| head.split_once(": function(")).map(|(name, _)| name.trim());
        let class = line.strip_prefix("export class ").and_then(|rest| rest.strip_suffix(" {"));
        let is_of_class = CLASSES.iter().any(|class| line.contains(class));
        // Whatever begins here ends with the first line that begins with this.
        let end = match (name, class) {
            (Some(name), _) if name.starts_with("__w") && !imports.contains(name) => "},",
            (_, Some(_)) if is_of_class => "if (Symbol.dispose)",
            _ if is_of_class => ": new FinalizationRegistry",
            _ => {
                kept.push_str(line);
                kept.push('\n');
                continue;
            }
        };
        if !lines.any(|line| line.starts_with(end)) {
            return Err(format!("{line:?} in wasm-bindgen's glue has no end").into());
        }
    }
    Ok(kept.replace("export { initSync, ", "export { "))
}

#[cfg(test)]
mod tests {
    use walrus::Module;

    use super::remove_glue;

    #[test]
    fn classes_and_functions_that_are_not_imported_are_removed() {
        let class = "export class IntoUnderlyingSink {\nfree() {\n}\n}\nif (Symbol.dispose) IntoUnderlyingSink.x;\n";
        let freed = "const IntoUnderlyingSinkFinalization = x\n? y\n: new FinalizationRegistry(z);\n";
        let functions = "__wbg_a: function() {\nif (x) {\n}\n},\n__wbg_b: function() {\n},\nend\n";
        let glue = [class, freed, functions].concat();
        let mut module = Module::default();
        let kind = module.types.add(&[], &[]);
        module.add_import_func("m", "__wbg_b", kind);
        assert_eq!(remove_glue(&glue, &module).unwrap(), "__wbg_b: function() {\n},\nend\n");
        assert!(remove_glue("__wbg_a: function() {\n", &module).is_err());
    }
}
