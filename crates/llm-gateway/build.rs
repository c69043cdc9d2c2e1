//! Packs a long text that comes along.

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/prices/catalogue.tsv");
    gatehouse_packed::pack("src/prices/catalogue.tsv")
}
