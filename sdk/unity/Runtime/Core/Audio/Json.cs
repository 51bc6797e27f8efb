// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Segue.Wire;

namespace Segue.Audio
{
    /// <summary>
    /// JSON to Dictionary, List, string, double, bool and null; for manifests, where Unity's own reader knows no
    /// dictionaries. Throws <see cref="MalformedException"/>.
    /// </summary>
    public sealed class Json
    {
        private const int Deepest = 64;
        private readonly string _text;
        private int _at;

        private Json(string text) => _text = text;

        public static object Parse(string text)
        {
            var json = new Json(text);
            object value = json.Value(0);
            json.Space();
            if (json._at < text.Length) throw json.Bad("the end");
            return value;
        }

        private object Value(int depth)
        {
            if (depth > Deepest) throw Bad("less nesting");
            Space();
            char next = _at < _text.Length ? _text[_at] : '\0';
            if (next == '{') return Object(depth);
            if (next == '[') return List(depth);
            if (next == '"') return String();
            if (Word("true")) return true;
            if (Word("false")) return false;
            if (Word("null")) return null;
            return Number();
        }

        private Dictionary<string, object> Object(int depth)
        {
            var found = new Dictionary<string, object>();
            _at++;
            if (Taken('}')) return found;
            do
            {
                Space();
                string key = String();
                if (!Taken(':')) throw Bad("\":\"");
                found[key] = Value(depth + 1);
            }
            while (Taken(','));
            if (!Taken('}')) throw Bad("\"}\"");
            return found;
        }

        private List<object> List(int depth)
        {
            var found = new List<object>();
            _at++;
            if (Taken(']')) return found;
            do found.Add(Value(depth + 1));
            while (Taken(','));
            if (!Taken(']')) throw Bad("\"]\"");
            return found;
        }

        private string String()
        {
            if (_at >= _text.Length || _text[_at] != '"') throw Bad("a string");
            var found = new StringBuilder();
            for (_at++; _at < _text.Length; _at++)
            {
                char c = _text[_at];
                if (c == '"')
                {
                    _at++;
                    return found.ToString();
                }
                if (c == '\\')
                {
                    if (++_at >= _text.Length) break;
                    c = Escaped();
                }
                found.Append(c);
            }
            throw Bad("the end of a string");
        }

        private char Escaped()
        {
            switch (_text[_at])
            {
                case 'n': return '\n';
                case 't': return '\t';
                case 'r': return '\r';
                case 'b': return '\b';
                case 'f': return '\f';
                case 'u' when _at + 4 < _text.Length && ushort.TryParse(
                    _text.Substring(_at + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code):
                    _at += 4;
                    return (char)code;
                case '"': case '\\': case '/': return _text[_at];
                default: throw Bad("an escape");
            }
        }

        private double Number()
        {
            int begin = _at;
            while (_at < _text.Length && "+-.0123456789eE".IndexOf(_text[_at]) >= 0) _at++;
            if (double.TryParse(_text.Substring(begin, _at - begin), NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
                return value;
            throw Bad("a value");
        }

        private bool Word(string word)
        {
            if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0) return false;
            _at += word.Length;
            return true;
        }

        private bool Taken(char c)
        {
            Space();
            if (_at >= _text.Length || _text[_at] != c) return false;
            _at++;
            return true;
        }

        private void Space()
        {
            while (_at < _text.Length && " \t\r\n".IndexOf(_text[_at]) >= 0) _at++;
        }

        private MalformedException Bad(string expected) =>
            new MalformedException("JSON: expected " + expected + " at character " + _at);
    }
}
