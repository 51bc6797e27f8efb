// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Segue.Wire;

namespace Segue
{
    /// <summary>A JSON object and where it is, so that whatever is wrong with it is said with its key.</summary>
    internal readonly struct OutlineNode
    {
        private readonly Dictionary<string, object> _keys;
        private readonly string _path;

        private OutlineNode(Dictionary<string, object> keys, string path)
        {
            _keys = keys;
            _path = path;
        }

        /// <summary>Its keys, in the order of the file.</summary>
        public IEnumerable<string> Keys => _keys.Keys;

        /// <summary>The whole file.</summary>
        public static OutlineNode Root(object parsed) =>
            new OutlineNode(parsed as Dictionary<string, object> ?? throw Bad("", "a file that `segue build` wrote", parsed), "");

        public OutlineNode Object(string key) =>
            new OutlineNode(Get(key) as Dictionary<string, object> ?? throw Bad(Path(key), "an object", Get(key)), Path(key));

        /// <summary>An object that may be missing; without keys then.</summary>
        public OutlineNode ObjectOrNone(string key) =>
            Get(key) == null ? new OutlineNode(new Dictionary<string, object>(), Path(key)) : Object(key);

        /// <summary>A list of objects that may be missing.</summary>
        public IEnumerable<OutlineNode> Objects(string key)
        {
            object found = Get(key);
            if (found == null) return Enumerable.Empty<OutlineNode>();
            string path = Path(key);
            var list = found as List<object> ?? throw Bad(path, "a list", found);
            return list.Select((item, i) => new OutlineNode(
                item as Dictionary<string, object> ?? throw Bad(path + "[" + i + "]", "an object", item), path + "[" + i + "]")).ToList();
        }

        public string Text(string key) => Get(key) as string ?? throw Bad(Path(key), "a text", Get(key));

        /// <summary>A text that may be missing; empty then.</summary>
        public string TextOrNone(string key) => Get(key) == null ? "" : Text(key);

        public IReadOnlyList<string> Texts(string key)
        {
            string path = Path(key);
            var list = Get(key) as List<object> ?? throw Bad(path, "a list of names", Get(key));
            return list.Select((item, i) => item as string ?? throw Bad(path + "[" + i + "]", "a name", item)).ToList();
        }

        public IReadOnlyList<string> TextsOrNone(string key) => Get(key) == null ? Array.Empty<string>() : Texts(key);

        public double Number(string key) => Get(key) is double found ? found : throw Bad(Path(key), "a number", Get(key));

        public int Whole(string key)
        {
            double found = Number(key);
            return found >= 0 && found <= int.MaxValue && Math.Floor(found) == found
                ? (int)found
                : throw Bad(Path(key), "a whole number from 0 to 2147483647", found);
        }

        /// <summary>Two numbers, the lower one first.</summary>
        public void Range(string key, out double minimum, out double maximum)
        {
            object found = Get(key);
            if (!(found is List<object> pair && pair.Count == 2 && pair[0] is double low && pair[1] is double high && low <= high))
                throw Bad(Path(key), "two numbers, the lower one first", found);
            minimum = low;
            maximum = high;
        }

        /// <summary>What is thrown for a key that is not what was expected.</summary>
        public MalformedException Bad(string key, string expected) => Bad(Path(key), expected, Get(key));

        private static MalformedException Bad(string path, string expected, object got) =>
            new MalformedException((path.Length > 0 ? path + ": " : "") + "expected " + expected + ", got " + Described(got));

        private static string Described(object got)
        {
            switch (got)
            {
                case null: return "nothing";
                case string text: return "\"" + (text.Length > 80 ? text.Substring(0, 80) + "…" : text) + "\"";
                case double number: return number.ToString(CultureInfo.InvariantCulture);
                case bool flag: return flag ? "true" : "false";
                case List<object> list: return "a list of " + list.Count;
                default: return "an object";
            }
        }

        private object Get(string key) => _keys.TryGetValue(key, out object found) ? found : null;

        private string Path(string key) => _path.Length > 0 ? _path + "." + key : key;
    }
}
