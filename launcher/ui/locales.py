"""Gives every Chinese reader the Chinese page.

Gradio's browser side knows zh-CN and zh-TW, and takes zh, zh-HK or zh-Hans-SG for English. A script at the
head of the page, run before Gradio's own, names the nearer of the two as the browser's language. Languages
that are not Chinese stay as they are.
"""

from __future__ import annotations

CHINESE_LOCALES = """(() => {
  const own = navigator.language || "";
  if (!/^zh(-|$)/i.test(own) || own === "zh-CN" || own === "zh-TW") return;
  const value = /-(hant|hk|mo|tw)\\b/i.test(own) ? "zh-TW" : "zh-CN";
  Object.defineProperty(navigator, "language", { value });
})();
"""
