//! Packs a long text that comes along.

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/schema.json");
    gatehouse_packed::pack("src/schema.json")
}
