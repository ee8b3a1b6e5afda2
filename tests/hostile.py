"""Text that evidence may hold and that must show as text: markup, scripts, templates, formulas, bidirectional and invisible characters."""

CORPUS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)><svg onload=alert(3)>",
    "</script><script>window.pwned=4</script>",
    "\"'><iframe srcdoc='<script>parent.pwned=5</script>'></iframe>",
    '<a href="javascript:alert(6)">javascript:alert(6)</a>',
    "<style>*{display:none}</style><link rel=stylesheet href=http://example.com/x.css>",
    "<meta http-equiv=refresh content='0;url=http://example.com/'>",
    "<base href=http://example.com/><form action=http://example.com/><input name=q autofocus onfocus=alert(7)>",
    "--><!--]]>&lt;b&gt;&#60;script&#62;",
    "{{ 7*7 }}{% raw %}{{ self.__init__.__globals__ }}${7*7}<%= 7*7 %>",
    "=cmd|' /C calc'!A0",
    "+1\t-1\n@SUM(1)",
    "\u202eexe.txt\u202c \u2066left\u2069 \u200frtl",
    "zero\u200bwidth\u200d\ufeffjoin\u00adhyphen",
    "\x1b[31mred\x1b[0m \x00 \x07 \x85 \u2028 \u2029",
    "\ue000private \U000e0041tag \uffffnot-a-character",
    "\u05d0\u05d1\u05d2 \u0639\u0631\u0628\u064a \u65e5\u672c\u8a9e \U0001f600 e\u0301\u0327\u0328",
    "__proto__",
    "#row-1",
    "L" + "o" * 3000 + "ng",
)
