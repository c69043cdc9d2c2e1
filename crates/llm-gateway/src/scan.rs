//! Reads the few fields of a JSON body that the call path needs, without building a tree.
