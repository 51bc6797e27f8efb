// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using NUnit.Framework;
using Segue.V1;
using Segue.Wire;

namespace Segue.Tests
{
    [TestFixture]
    public sealed class CodecTests
    {
        [Test]
        public void MessagesAreReadAndWrittenAsTheVectorsSay()
        {
            var codec = Vectors.Read("codec.json");
            foreach (var vector in codec.List("messages"))
            {
                string what = vector.Text("message") + ", " + vector.Text("case");
                var message = Parse(vector.Text("message"), vector.Hex("hex"));
                Holds(message, vector.Object("fields"), what);
                var written = ProtoWriter.Serialise(message);
                if (written.SequenceEqual(vector.Hex("hex"))) continue;
                // The order of a map's entries is an encoder's own.
                Check.That(Has(vector["fields"], "labels"), what + ": got " + Check.Hex(written));
                Check.Equal(vector.Hex("hex").Length, written.Length, what);
                Holds(Parse(vector.Text("message"), written), vector.Object("fields"), what);
            }
            foreach (var vector in codec.List("decode_only"))
                Holds(Parse(vector.Text("message"), vector.Hex("hex")), vector.Object("fields"), vector.Text("case"));
        }

        [Test]
        public void MalformedBytesAreRefused()
        {
            foreach (var vector in Vectors.Read("codec.json").List("malformed"))
            {
                try
                {
                    Parse(vector.Text("message"), vector.Hex("hex"));
                    Check.That(vector.Flag("or_taken"), vector.Text("case") + " was taken");
                }
                catch (MalformedException) { }
            }
        }

        [Test]
        public void GarbageIsRefusedOrTakenButNeverBreaksAnything()
        {
            var dice = new Random(5);
            for (int round = 0; round < 5000; round++)
            {
                var bytes = new byte[dice.Next(60)];
                dice.NextBytes(bytes);
                try
                {
                    StreamAudioResponse.Parse(bytes);
                }
                catch (MalformedException) { }
            }
        }

        [Test]
        public void AnAbsentOptionalIsNotAZero()
        {
            Check.Equal(0, ProtoWriter.Serialise(new ControlHeader()).Length);
            Check.Same(Check.Bytes("1800"), ProtoWriter.Serialise(new ControlHeader { PlayheadSample = 0 }));
            Check.Equal(null, ControlHeader.Parse(new byte[0]).PlayheadSample);
            Check.Equal(0L, ControlHeader.Parse(Check.Bytes("1800")).PlayheadSample);
        }

        private static bool Has(object fields, string key) =>
            fields is Dictionary<string, object> found && (found.ContainsKey(key) || found.Values.Any(value => Has(value, key)));

        private static IMessage Parse(string name, byte[] bytes)
        {
            string space = name.StartsWith("segue.v1.", StringComparison.Ordinal) ? "Segue.V1." : "Segue.Rpc.";
            string rest = name.StartsWith("segue.v1.", StringComparison.Ordinal) ? name.Substring(9) : name.Substring(name.LastIndexOf('.') + 1);
            var type = typeof(AudioChunk).Assembly.GetType(space + rest.Replace(".", ""));
            if (type == null) throw new InvalidOperationException("no class for " + name);
            try
            {
                return (IMessage)type.GetMethod("Parse").Invoke(null, new object[] { bytes });
            }
            catch (TargetInvocationException thrown)
            {
                throw thrown.InnerException;
            }
        }

        private static void Holds(object message, Dictionary<string, object> fields, string what)
        {
            foreach (var field in fields)
            {
                string name = string.Concat(field.Key.Split('_').Select(part => char.ToUpperInvariant(part[0]) + part.Substring(1)));
                var property = message.GetType().GetProperty(name) ?? message.GetType().GetProperty(name + "_");
                Check.That(property != null, what + ": no property for " + field.Key);
                Same(field.Value, property.GetValue(message), what + ": " + field.Key);
            }
        }

        private static void Same(object expected, object got, string what)
        {
            switch (got)
            {
                case string text: Check.Equal((string)expected, text, what); break;
                case byte[] bytes: Check.Same(Convert.FromBase64String((string)expected), bytes, what); break;
                case bool flag: Check.Equal((bool)expected, flag, what); break;
                case long whole: Check.Equal(expected is string digits ? long.Parse(digits, CultureInfo.InvariantCulture) : (long)(double)expected, whole, what); break;
                case int whole: Check.Equal((int)(double)expected, whole, what); break;
                case Enum value: Check.Equal((int)(double)expected, Convert.ToInt32(value, CultureInfo.InvariantCulture), what); break;
                case float real: Check.Equal(expected is string special ? float.Parse(special, CultureInfo.InvariantCulture) : (float)(double)expected, real, what); break;
                case double real: Check.Equal(expected is string special2 ? double.Parse(special2, CultureInfo.InvariantCulture) : (double)expected, real, what); break;
                case IDictionary<string, string> map:
                    var pairs = (Dictionary<string, object>)expected;
                    Check.Equal(pairs.Count, map.Count, what);
                    foreach (var pair in pairs) Check.Equal((string)pair.Value, map[pair.Key], what);
                    break;
                case IList list:
                    var items = (List<object>)expected;
                    Check.Equal(items.Count, list.Count, what);
                    for (int i = 0; i < items.Count; i++) Same(items[i], list[i], what + "[" + i + "]");
                    break;
                case IMessage message: Holds(message, (Dictionary<string, object>)expected, what); break;
                default: throw new InvalidOperationException(what + ": got " + (got ?? "nothing"));
            }
        }
    }
}
