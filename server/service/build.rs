//! Makes Cargo see new migrations, which are built into the binary.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
