//! Packs a long text that comes along.

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/admin/openapi.json");
    gatehouse_packed::pack("src/admin/openapi.json")
}
