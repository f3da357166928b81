import OpenSSLCrypto

/// The one style sheet, inside each page and allowed there by its hash.
enum PageStyle {
    static let text = """
        :root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6575;--line:#d5dae3;--paper:#fff;--back:#f3f5f9;\
        --deed:#2457d6;--bad:#b3261e;--badback:#fdeceb;--good:#1b6e3c;--goodback:#e7f5ec}
        @media(prefers-color-scheme:dark){:root{--ink:#e7eaf0;--soft:#9aa4b5;--line:#39414f;--paper:#1b2029;\
        --back:#12161d;--deed:#6f9bff;--bad:#ff9d96;--badback:#3a1d1c;--good:#7fd8a2;--goodback:#16301f}}
        *{box-sizing:border-box}
        body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;background:var(--back);\
        color:var(--ink);font:16px/1.5 system-ui,sans-serif}
        header{padding:2.5rem 1rem 1rem;font-weight:600;letter-spacing:.02em}
        main{width:min(26rem,calc(100% - 2rem));background:var(--paper);border:1px solid var(--line);\
        border-radius:12px;padding:1.75rem;margin-bottom:3rem}
        h1{font-size:1.35rem;margin:0 0 1rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
        label{display:block;margin:.9rem 0 .25rem;font-weight:500}
        input{width:100%;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);\
        border-radius:8px;padding:.55rem .7rem}
        input:focus,button:focus,a:focus{outline:2px solid var(--deed);outline-offset:2px}
        button{width:100%;margin-top:1.25rem;font:inherit;font-weight:600;color:#fff;background:#2457d6;border:0;\
        border-radius:8px;padding:.65rem;cursor:pointer}
        button.quiet{color:inherit;background:transparent;border:1px solid var(--line);margin-top:.6rem}
        .note{color:var(--soft);font-size:.92rem}.alert,.done{border-radius:8px;padding:.6rem .8rem}
        .alert{color:var(--bad);background:var(--badback)}.done{color:var(--good);background:var(--goodback)}
        ul{padding-left:1.2rem}dl{margin:0}dt{color:var(--soft);font-size:.9rem}dd{margin:0 0 .5rem}
        a{color:var(--deed)}code{font-size:.9em}
        """

    /// The source expression of a content security policy that allows the style sheet.
    static let policySource = "'sha256-\(Base64.encode(SHA256Digest.hash(text)))'"
}
