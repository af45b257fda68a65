"""Pages that subscribers open by a link: what they are told, where, and how they leave."""
