r"""Which standard error each program computes: the same residuals, other factors.

A coefficient of a regression with absorbed effects is :math:`\sum_i w_i y_i`, with the weights of
:meth:`pilotzones.estimators.regression.Regression.weights`. With residuals :math:`u`, ``G`` clusters, ``n`` rows and
``K`` parameters, programs agree on the clustered variance up to a factor :math:`c` [1]_,

.. math:: V = c \sum_g \Big(\sum_{i \in g} w_i u_i\Big)^2,

and differ in what makes :math:`c`: whether there is one, what ``K`` counts, and whether rows that are alone in a level
of an effect (singletons) are among the ``n``. :func:`conventions` puts these choices side by side, :func:`two_by_two`
does so where ``K`` matters most, :func:`dictionary` lists what every estimator of this book uses, and :func:`doubled`
checks that list: in a sample that contains everything twice the sum above is halved exactly, so what a library's
variance does beyond that is its factor.

Stata is not run here. Its rules are those of the source code of reghdfe 6 (``DoF.mata``, ``Regression.mata``) and csdid
(``csdid_stats.ado``), and for xtreg and areg those of [2]_.

References
----------
.. [1] Liang, K.-Y., Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika 73,
   13-22.
.. [2] Cameron, A. C., Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. Journal of Human
   Resources 50, 317-372.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import diff_diff
import numpy as np
import pandas as pd
import statsmodels.api as sm
from linearmodels.iv.absorbing import AbsorbingLS
from linearmodels.panel import PanelOLS
from scipy import stats
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pilotzones.estimators import modern
from pilotzones.estimators.dynamic_panel import gmm
from pilotzones.estimators.instruments import identification
from pilotzones.estimators.regression import Regression, regress
from pilotzones.estimators.spatial import conley
from pilotzones.estimators.staggered import sample
from pilotzones.verification import PANEL

R_VALUES = PANEL.with_name("r_reference.csv")
REGRESSORS = ["D", "x1", "x2", "x3"]
FORMULA = f"y ~ {' + '.join(REGRESSORS)} | firm + prov^year"

NONE, ROWS, CLUSTERS, ONLY_CLUSTERS = "1", "n/(n-K)", "G/(G-1) (n-1)/(n-K)", "G/(G-1)"


def factor(form: str, n: int, k: int, g: int) -> float:
    """Return the value of one of the module's four factors of a variance for ``n`` rows, ``K`` and ``G``."""
    return {
        NONE: 1.0,
        ROWS: n / (n - k),
        CLUSTERS: g / (g - 1) * (n - 1) / (n - k),
        ONLY_CLUSTERS: g / (g - 1),
    }[form]


def parameters(coefficients: int, effects: pd.DataFrame, clusters: pd.DataFrame | None = None) -> int:
    r"""Count parameters as R's fixest does: :math:`K = k + 1 + \sum_e (L_e - 1)` over the effects that are not nested.

    Parameters
    ----------
    coefficients : :math:`k`.
    effects : one column per absorbed effect, with :math:`L_e` levels; shape (n, effects).
    clusters : one column per way of clustering, shape (n, ways). An effect is nested if each of its levels lies in one
        cluster of one way. None: no effect is.
    """
    ways = [] if clusters is None else [clusters[way] for way in clusters]
    levels = [effects[e] for e in effects if not any((way.groupby(effects[e]).nunique() == 1).all() for way in ways)]
    return coefficients + 1 + sum(level.nunique() - 1 for level in levels)


@dataclass(frozen=True)
class _Rows:
    """The rows of a regression and its coefficient's error without any factor."""

    n: int
    clusters: int
    plain: float


@dataclass(frozen=True)
class _Program:
    """One line of a table of conventions, see :func:`conventions`."""

    name: str
    rows: _Rows
    counted: str
    k: int
    factor: str
    distribution: str
    library: str = ""
    by_library: float = np.nan
    in_r: float = np.nan


def conventions() -> pd.DataFrame:
    """Return one coefficient's error, clustered by city, under the conventions of programs in R, Stata and Python.

    The regression is :data:`FORMULA` on the project's simulated reference panel, the coefficient that of ``D``. Firms
    never leave their city or province.

    Returns
    -------
    One row per ``program``: ``n``, ``G``, ``counted`` (what ``K`` counts), ``K``, ``factor`` (of the variance),
    ``value`` (of the factor), ``by_factor`` (the error by the formula), ``library`` and ``by_library`` (the error that
    it returns; missing where none is run), ``in_r`` (R 4.2.2, fixest 0.14.2, committed in ``tests/reference``; missing
    where R was not run), ``relative`` (``by_factor`` over that of the first row, this book's), ``distribution`` and
    ``critical`` (half of its 95% interval, in standard errors).
    """
    panel = pd.read_csv(PANEL)
    panel["cell"] = panel.groupby(["prov", "year"]).ngroup()
    fit, with_singletons = (regress(FORMULA, panel, "cluster:city", singletons=kind) for kind in ("drop", "keep"))
    few, all_rows = panel.loc[fit.residuals().index], panel.loc[with_singletons.residuals().index]
    dropped, kept = _rows(fit, few["city"]), _rows(with_singletons, all_rows["city"])

    k, effects = len(REGRESSORS), few[["firm", "cell"]]
    full = parameters(k, effects)
    nested, nested_kept = (parameters(k, rows[["firm", "cell"]], rows[["city"]]) for rows in (few, all_rows))
    spanned = _beyond(all_rows["firm"], all_rows["cell"])
    firms = all_rows["firm"].nunique()

    absorbing = AbsorbingLS(few["y"], few[REGRESSORS], absorb=effects.astype("category"))
    absorbed = {d: absorbing.fit(cov_type="clustered", clusters=few["city"], debiased=d) for d in (True, False)}
    index = few.set_index(["firm", "year"])
    cells = index[["cell"]].astype("category")
    panel_ols = PanelOLS(index["y"], index[REGRESSORS], entity_effects=True, other_effects=cells)
    debiased = {d: panel_ols.fit(cov_type="clustered", clusters=index[["city"]], group_debias=d) for d in (True, False)}
    # what Stata's xtreg does: firm means out, then a regression with a constant and the dummies that are left
    variables = all_rows[["y", *REGRESSORS]].join(pd.get_dummies(all_rows["cell"], dtype=float)[spanned])
    within = variables - variables.groupby(all_rows["firm"]).transform("mean")
    regressors = sm.add_constant(within.drop(columns="y").rename(columns=str), has_constant="add")
    xtreg = _ols(within["y"], regressors, all_rows["city"])
    weight = fit.weights("D")
    left = weight / (weight @ weight)  # of D, with all else taken out
    ours = fit.coefficients.loc["D"]
    residuals = _ols(fit.residuals() + ours["estimate"] * left, left.to_frame("D"), few["city"])

    call = f"feols {FORMULA.replace(' ', '')}, cluster city"
    found = pd.read_csv(R_VALUES).query("term == 'D' and quantity == 'se'").set_index("reference")["value"]
    free, every = "levels not nested in clusters", "every level"
    programs = [
        _Program("this book, R fixest, Stata reghdfe: singletons dropped", dropped, free, nested, CLUSTERS, "t(G-1)",
                 "pyfixest", ours["se"], found[call]),
        _Program("this book, R fixest: singletons kept", kept, free, nested_kept, CLUSTERS, "t(G-1)",
                 "pyfixest", with_singletons.coefficients.at["D", "se"], found[f"{call}, singletons kept"]),
        _Program("Stata xtreg, fe", kept, "independent columns but for firms", k + 1 + len(spanned), CLUSTERS,
                 "t(G-1)", "statsmodels, firm means removed", xtreg.bse["D"]),
        _Program("Stata areg", kept, "independent columns", k + firms + len(spanned), CLUSTERS, "t(G-1)"),
        _Program("R fixest, K.fixef = 'full'", dropped, every, full, CLUSTERS, "t(G-1)",
                 in_r=found[f"{call}, K.fixef full"]),
        _Program("linearmodels AbsorbingLS, debiased=True", dropped, every, full, CLUSTERS, "t(n-K)",
                 "linearmodels", absorbed[True].std_errors["D"]),
        _Program("linearmodels PanelOLS, group_debias=True", dropped, every, full, CLUSTERS, "t(n-K)",
                 "linearmodels", debiased[True].std_errors["D"]),
        _Program("linearmodels PanelOLS", dropped, every, full, ROWS, "t(n-K)",
                 "linearmodels", debiased[False].std_errors["D"]),
        _Program("statsmodels OLS with dummies", dropped, "columns, independent or not", full, CLUSTERS, "normal"),
        _Program("statsmodels OLS, residuals on residuals", dropped, "the one column", 1, CLUSTERS, "normal",
                 "statsmodels", residuals.bse["D"]),
        _Program("no factor, as in Stata csdid and R did", dropped, "nothing", 0, NONE, "normal",
                 "linearmodels AbsorbingLS, debiased=False", absorbed[False].std_errors["D"],
                 found[f"{call}, no small-sample"]),
    ]  # fmt: skip
    return _side_by_side(programs)


def two_by_two() -> pd.DataFrame:
    """Return one ATT(g,t)'s error, clustered by firm, where software for regressions and for ATT(g,t) can be compared.

    Firms of cohort 2013 against firms not treated by then, 2013 against 2012, on the firms of the reference panel
    that are observed in every year. With two years the sum in the module's formula is that of the influence function:
    one number, to which all programs apply their factors. There are only twice as many rows as firms.

    Returns
    -------
    As :func:`conventions`; ``relative`` is to this book's regression.
    """
    panel = pd.read_csv(PANEL)
    panel = panel[panel.groupby("firm")["year"].transform("size") == panel["year"].nunique()]
    compared = panel[panel["cohort"].isin([0, 2013, 2014]) & panel["year"].isin([2012, 2013])]
    compared = compared.assign(treated=((compared["cohort"] == 2013) & (compared["year"] == 2013)).astype(int))
    fit = regress("y ~ treated | firm + year", compared, "cluster:firm")
    rows = _rows(fit, compared["firm"], "treated")
    k = parameters(1, compared[["firm", "year"]], compared[["firm"]])
    full = parameters(1, compared[["firm", "year"]])
    index = compared.set_index(["firm", "year"])
    panel_ols = PanelOLS(index["y"], index[["treated"]], entity_effects=True, time_effects=True)
    absorbing = AbsorbingLS(compared["y"], compared[["treated"]], absorb=compared[["firm", "year"]].astype("category"))
    dummies = pd.get_dummies(compared[["firm", "year"]].astype("category"), drop_first=True, dtype=float)
    with_dummies = _ols(compared["y"], sm.add_constant(compared[["treated"]].join(dummies)), compared["firm"])
    change = compared.groupby("firm")["y"].diff().dropna()
    new = sm.add_constant(compared.loc[change.index, "treated"].astype(float))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small cohorts
        theirs: Any = diff_diff.CallawaySantAnna(control_group="not_yet_treated", estimation_method="reg").fit(
            panel, "y", "firm", "year", "cohort"
        )
    att = theirs.group_time_effects[2013, 2013]["se"]
    own: Any = modern.estimate(
        "callaway_santanna", panel.assign(cohort=panel["cohort"].where(panel["cohort"] > 0)), outcome="y", unit="firm",
        time="year", cohort="cohort", cluster="firm", control_group="not_yet",
    )  # fmt: skip
    found = pd.read_csv(R_VALUES).query("term == 'ATT(2013,2013)' and quantity == 'se'").set_index("reference")
    all_firms = _Rows(len(panel), own.n_clusters, rows.plain)
    changes = _Rows(len(change), len(change), rows.plain)
    return _side_by_side(
        [
            _Program("this book, R fixest, Stata reghdfe and xtreg", rows, "levels not nested in clusters", k,
                     CLUSTERS, "t(G-1)", "pyfixest", fit.coefficients.at["treated", "se"]),
            _Program("this book, Callaway-Sant'Anna", all_firms, "nothing", 0, ONLY_CLUSTERS, "t(G-1)",
                     "diff-diff", own.by_cohort_time.at[(2013, 2013), "se"]),
            _Program("Stata csdid, R did, diff-diff", rows, "nothing", 0, NONE, "normal", "diff-diff", att,
                     found.at["did att_gt, balanced firms, not yet treated, reg", "value"]),
            _Program("statsmodels OLS of the change, HC1", changes, "columns", 2, ROWS, "normal",
                     "statsmodels", sm.OLS(change, new).fit(cov_type="HC1").bse["treated"]),
            _Program("Stata areg", rows, "independent columns", full, CLUSTERS, "t(G-1)"),
            _Program("statsmodels OLS with dummies", rows, "columns, independent or not", full, CLUSTERS, "normal",
                     "statsmodels", with_dummies.bse["treated"]),
            _Program("linearmodels AbsorbingLS, debiased=True", rows, "every level", full, CLUSTERS, "t(n-K)",
                     "linearmodels", absorbing.fit(cov_type="clustered", clusters=compared["firm"],
                                                   debiased=True).std_errors["treated"]),
            _Program("linearmodels PanelOLS", rows, "every level", full, ROWS, "t(n-K)", "linearmodels",
                     panel_ols.fit(cov_type="clustered", cluster_entity=True).std_errors["treated"]),
        ]
    )  # fmt: skip


def _rows(fit: Regression, clusters: pd.Series, term: str = "D") -> _Rows:
    score = (fit.weights(term) * fit.residuals()).groupby(clusters).sum()
    return _Rows(fit.n_obs, len(score), float(np.linalg.norm(score)))


def _beyond(first: pd.Series, second: pd.Series) -> list[int]:
    """Return the levels of ``second`` whose dummies are independent of those of ``first``: one less per component.

    Components are groups of levels that never share a row with the others, such as firms and years of one province.
    """
    a, b = pd.factorize(first)[0], pd.factorize(second)[0]
    size = a.max() + b.max() + 2
    _, component = connected_components(coo_array((np.ones(len(a)), (a, b + a.max() + 1)), shape=(size, size)))
    levels = second.drop_duplicates()
    return sorted(levels[pd.Series(component[a], second.index).loc[levels.index].duplicated()])


def _ols(y: pd.Series, x: pd.DataFrame, clusters: pd.Series) -> Any:
    return sm.OLS(y, x).fit(method="qr", cov_type="cluster", cov_kwds={"groups": clusters.to_numpy()})


def _side_by_side(programs: list[_Program]) -> pd.DataFrame:
    lines = []
    for p in programs:
        value = factor(p.factor, p.rows.n, p.k, p.rows.clusters)
        df = {"t(G-1)": p.rows.clusters - 1, "t(n-K)": p.rows.n - p.k, "normal": np.inf}[p.distribution]
        lines.append(
            {
                "program": p.name,
                "n": p.rows.n,
                "G": p.rows.clusters,
                "counted": p.counted,
                "K": p.k,
                "factor": p.factor,
                "value": value,
                "by_factor": p.rows.plain * np.sqrt(value),
                "library": p.library,
                "by_library": float(p.by_library),
                "in_r": float(p.in_r),
                "distribution": p.distribution,
                "critical": float(stats.t.ppf(0.975, df)),
            }
        )
    table = pd.DataFrame(lines).set_index("program")
    return table.assign(relative=table["by_factor"] / table["by_factor"].iloc[0])


def dictionary() -> pd.DataFrame:
    """Return the variance, factor and distribution behind every standard error of this book.

    Returns
    -------
    One row per ``estimator``: ``library`` (whose code), ``variance``, ``factor``, ``counted`` (what ``K`` counts),
    ``distribution`` (of intervals and p values).
    """
    nested, every = "coefficients, levels not nested in clusters", "coefficients, every level"
    sandwich, as_above = "scores summed by cluster", "as least squares"
    rows = [
        ("Least squares, 2SLS: iid", "pyfixest", "one residual variance", ROWS, every, "t(n-K)"),
        ("Least squares, 2SLS: hetero", "pyfixest", "squared scores", ROWS, every, "t(n-K)"),
        ("Least squares: cluster", "pyfixest", sandwich, CLUSTERS, nested, "t(G-1)"),
        ("Two-stage least squares: cluster", "pyfixest", "scores of the fitted regressors, summed by cluster",
         CLUSTERS, nested, "t(G-1)"),
        ("Least squares: two-way cluster", "pyfixest", "by one, plus by the other, less by both", CLUSTERS,
         "coefficients, levels nested in neither; G: the smaller number", "t(G-1)"),
        ("Dyadic", "own", "scores of rows with a city in common", CLUSTERS,
         "coefficients, levels not nested in pairs; G: cities", "t(G-1)"),
        ("Conley", "own", "scores of rows within a distance", ROWS, every, "normal"),
        ("Wild cluster bootstrap", "own", "least squares: cluster, in every draw", "cancels", nested, "the draws"),
        ("Placebo, randomisation inference", "own", as_above, "as least squares", "as least squares", "the draws"),
        ("First-stage and Kleibergen-Paap F", "own; linearmodels", "scores of the instruments, summed by cluster",
         CLUSTERS, nested, "F(L, G-1)"),
        ("Hausman: random effects", "linearmodels", "one residual variance", ROWS, "coefficients", "chi2"),
        ("Hausman: Mundlak", "pyfixest", sandwich, CLUSTERS, "coefficients", "F(q, G-1)"),
        ("Matching: propensity score", "statsmodels", "not used", "none", "", ""),
        ("Mediation: indirect effect", "own", "of bootstrap samples of clusters", "none", "", "the draws"),
        ("System GMM", "own", "Windmeijer's, by unit", NONE, "nothing", "normal"),
        ("Two-way fixed effects", "pyfixest", sandwich, CLUSTERS, nested, "t(G-1)"),
        ("Callaway-Sant'Anna", "diff-diff; variance own", "influence functions summed by cluster", ONLY_CLUSTERS,
         "nothing", "t(G-1)"),
        ("Sun-Abraham", "diff-diff", sandwich, CLUSTERS, nested, "t(G-1)"),
        ("Borusyak-Jaravel-Spiess", "diff-diff", "conservative: effects vary around cohort means", NONE, "nothing",
         "t(G-1)"),
        ("Gardner, two-stage", "diff-diff", "both stages as one system of moments", NONE, "nothing", "t(G-1)"),
        ("Wooldridge, extended TWFE", "diff-diff", sandwich, CLUSTERS, nested, "t(G-1)"),
        ("Stacked", "diff-diff; pyfixest", sandwich, CLUSTERS, f"{nested}; n: rows of the stack", "t(G-1)"),
        ("Local projections", "pyfixest", sandwich, CLUSTERS, f"{nested}; n: rows of all horizons", "t(G-1)"),
        ("de Chaisemartin-D'Haultfoeuille", "moderndid; variance own", "influence functions summed by cluster",
         "G/(G-1), and m/(m-1) for a cohort of m units", "nothing", "t(G-1)"),
        ("Goodman-Bacon decomposition", "diff-diff", "an identity", "none", "", ""),
        ("Pre-trend power", "own", "the estimator's", "none", "", "normal"),
        ("Honest DiD", "moderndid", "the estimator's", "none", "", "normal"),
    ]  # fmt: skip
    columns = ["estimator", "library", "variance", "factor", "counted", "distribution"]
    return pd.DataFrame(rows, columns=columns).set_index("estimator")


def doubled() -> pd.DataFrame:
    """Return what each variance does when the sample contains everything twice, and what its factor says it should.

    Every firm, city, industry and place of the reference panel gets a twin with the same data; years are shared. All
    estimates stay, the sum of squared scores is halved, and the factor changes with ``n``, ``K`` and ``G``.

    Returns
    -------
    One row per ``estimator`` of :func:`dictionary` that can be run on the panel: ``factor``, ``by_formula`` (half of
    the factor's new value over its old one; missing where counts are the library's own), ``found`` (the variance in
    the doubled sample over that in the sample; of an F statistic, its inverse).
    """
    once = pd.read_csv(PANEL)
    twins = {name: once[name] + once[name].max() + 1 for name in ("firm", "city", "prov", "ind")}
    # on the other side of the globe: as far from each other as the originals, and far from these
    twice = pd.concat([once, once.assign(lon=once["lon"] - 180, **twins)], ignore_index=True)
    before, after = _measured(once), _measured(twice)
    factors = dictionary()["factor"]
    lines = {}
    for name, (variance, *counts) in before.items():
        new, *new_counts = after[name]
        by_formula = factor(factors[name], *new_counts) / factor(factors[name], *counts) / 2 if counts else np.nan
        lines[name] = {"factor": factors[name], "by_formula": by_formula, "found": new / variance}
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("estimator")


def _measured(panel: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """Return by estimator a variance and the ``n``, ``K``, ``G`` of its factor, without these where they are not known.

    The variance of an F statistic is its inverse.
    """
    found: dict[str, tuple[Any, ...]] = {}
    fit = regress(f"y ~ {' + '.join(REGRESSORS)} | firm + year", panel, singletons="drop")
    rows = panel.loc[fit.residuals().index]
    n, effects, k = fit.n_obs, rows[["firm", "year"]], len(REGRESSORS)
    cities, two_ways = rows[["city"]], rows[["city", "ind"]]
    for name, other, ways in (
        ("Least squares, 2SLS: iid", fit, None),
        ("Least squares, 2SLS: hetero", fit.under("hetero"), None),
        ("Least squares: cluster", fit.under("cluster:city"), cities),
        ("Least squares: two-way cluster", fit.under("cluster:city+ind"), two_ways),
        ("Conley", conley(fit, lat="lat", lon="lon", cutoff_km=200.0), None),
    ):
        found[name] = (other.coefficients.at["D", "se"] ** 2, n, parameters(k, effects, ways), other.n_clusters or n)

    tests = identification("yiv ~ x1 + x2 | firm + year | endo ~ z1 + z2", panel, "cluster:city", singletons="drop")
    g, second = cities["city"].nunique(), tests.second_stage.coefficients.at["endo", "se"] ** 2
    found["Two-stage least squares: cluster"] = (second, n, parameters(3, effects, cities), g)
    inverse_f = 1 / tests.tests.at["Kleibergen-Paap F", "statistic"]
    found["First-stage and Kleibergen-Paap F"] = (inverse_f, n, parameters(4, effects, cities), g)
    moments = gmm(panel, "y", ["x1"], unit="firm", time="year", instruments={"y": (2, 3)}, exogenous=["x1"])
    found["System GMM"] = (moments.coefficients.at["x1", "se"] ** 2, n, 0, g)

    columns = {"outcome": "y", "unit": "firm", "time": "year", "cohort": "cohort", "cluster": "city"}
    panel = panel.assign(cohort=panel["cohort"].where(panel["cohort"] > 0))
    seen = sample(panel, **columns).rows
    absorbed, clusters = seen[["unit", "time"]], seen[["cluster"]]
    others = seen[(seen["cohort"] > 0) & (seen["time"] != seen["cohort"] - 1)]  # than the base year
    cells = others.groupby(["cohort", "time"])["post"].first()
    coefficients = {"twfe": 1, "sun_abraham": len(cells), "wooldridge": int(cells.sum())}
    for key, method in modern.ESTIMATORS.items():
        estimate = modern.estimate(key, panel, **columns)
        count = parameters(coefficients.get(key, 0), absorbed, clusters)
        counts = (len(seen), count, estimate.n_clusters)
        own = key in ("stacked", "lp_did", "dechaisemartin_dhaultfoeuille")  # other rows than the panel's, or factors
        found[method.title] = (float(estimate.att["se"]) ** 2, *(() if own else counts))
    return found
