// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;

namespace Segue
{
    /// <summary>Names that a wrong one was probably meant as. Any thread; not for every frame.</summary>
    public static class NearMisses
    {
        private const int Most = 3;
        private const int Listed = 12;
        private const int Longest = 64;
        private const double Alike = 0.6;

        /// <summary>At most three known names, the likeliest first; none if nothing is alike.</summary>
        public static IReadOnlyList<string> Of(string name, IEnumerable<string> known)
        {
            string folded = Folded(name);
            return known.Distinct()
                .Select(candidate => (candidate, likeness: Likeness(folded, Folded(candidate))))
                .Where(pair => pair.likeness >= Alike)
                .OrderByDescending(pair => pair.likeness).ThenBy(pair => pair.candidate, StringComparer.Ordinal)
                .Take(Most).Select(pair => pair.candidate).ToList();
        }

        /// <summary>A sentence for a name that does not exist, such as: no state "combt". Did you mean "combat"?</summary>
        /// <param name="kind">What it should have been: state, event, stinger, parameter.</param>
        public static string Unknown(string kind, string name, IReadOnlyCollection<string> known)
        {
            string said = "no " + kind + " \"" + name + "\". ";
            var near = Of(name, known).Select(found => "\"" + found + "\"").ToList();
            if (near.Count == 1) return said + "Did you mean " + near[0] + "?";
            if (near.Count > 1) return said + "Did you mean " + string.Join(", ", near.Take(near.Count - 1)) + " or " + near[near.Count - 1] + "?";
            if (known.Count == 0) return said + "There are none.";
            return said + "There " + (known.Count == 1 ? "is " : "are ") + string.Join(", ", known.Take(Listed)) + (known.Count > Listed ? ", …" : "") + ".";
        }

        /// <summary>1 for the same, 0 for nothing in common; a name within another is alike, too.</summary>
        private static double Likeness(string a, string b)
        {
            if (a.Length == 0 || b.Length == 0) return 0.0;
            if (a.Length > Longest || b.Length > Longest) return a == b ? 1.0 : 0.0;
            double edited = 1.0 - Distance(a, b) / (double)Math.Max(a.Length, b.Length);
            bool within = Math.Min(a.Length, b.Length) >= 3
                && (a.IndexOf(b, StringComparison.Ordinal) >= 0 || b.IndexOf(a, StringComparison.Ordinal) >= 0);
            return within ? Math.Max(Alike, edited) : edited;
        }

        /// <summary>Letters to insert, drop, replace, or swap with their neighbour.</summary>
        private static int Distance(string a, string b)
        {
            var rows = new int[a.Length + 1, b.Length + 1];
            for (int i = 0; i <= a.Length; i++) rows[i, 0] = i;
            for (int j = 0; j <= b.Length; j++) rows[0, j] = j;
            for (int i = 1; i <= a.Length; i++)
            {
                for (int j = 1; j <= b.Length; j++)
                {
                    int least = Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1;
                    least = Math.Min(least, rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) least = Math.Min(least, rows[i - 2, j - 2] + 1);
                    rows[i, j] = least;
                }
            }
            return rows[a.Length, b.Length];
        }

        private static string Folded(string name) => (name ?? "").ToLowerInvariant().Replace('-', '_').Replace(' ', '_');
    }
}
