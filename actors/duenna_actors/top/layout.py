"""How the screen is laid out, in Textual's CSS, and the line of keys at its foot."""

from __future__ import annotations

from typing import Final

KEYS: Final = (
    ("r", "estart"),
    ("s", "uspend"),
    ("x", " stop"),
    ("k", " stack"),
    ("l", "og"),
    ("b", "reaker"),
    ("m", "ute"),
    ("i", "ncident"),
    ("/", "find"),
    ("t", "imeline"),
    ("?", ""),
    ("q", "uit"),
)
"""Each key, and the rest of the word that it begins."""

STYLE: Final = """
    Screen { background: #0d1520; color: #d7dee8; }
    * { scrollbar-background: #121d2b; scrollbar-background-hover: #121d2b; scrollbar-background-active: #121d2b;
        scrollbar-color: #35567d; scrollbar-color-hover: #7cc4ff; scrollbar-color-active: #7cc4ff; }
    #header { background: #16263a; height: 1; }
    #needs { height: auto; background: #121d2b; }
    #tree { height: 1fr; background: #0d1520; scrollbar-size-vertical: 1; overflow-x: hidden; }
    #selected { height: 1; background: #16263a; }
    #bottom { height: auto; }
    #why { width: 1fr; height: auto; }
    #aside { width: 64; height: auto; }
    #told { height: 1; }
    #filter { height: 1; border: none; padding: 0 1; display: none; background: #24405e; }
    #filter:focus { border: none; }
    #keys { height: 1; background: #16263a; }
    .dialog { align: center middle; background: #0d1520 60%; }
    .box { width: 72; max-width: 95%; height: auto; max-height: 90%; border: round #7cc4ff; padding: 1 2;
           background: #121d2b; }
    .box OptionList > .option-list--option-highlighted { background: #24405e; color: #ffffff; text-style: none; }
    .box OptionList { height: auto; max-height: 12; border: none; background: #121d2b; margin: 1 0; }
    .page { background: #0d1520; }
    .page .title { height: 1; background: #16263a; }
    .page .keys { height: 1; background: #16263a; }
    .page #scroll { height: 1fr; scrollbar-size-vertical: 1; }
    .page #text { height: auto; }
"""
"""Heights, colours, and what is hidden at first."""
